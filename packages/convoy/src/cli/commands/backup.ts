import type { BackupRecord } from "node-convoy";
import { unescapeBackupUrl } from "node-convoy/wire";
import { checkExistingNames } from "../checks.ts";
import type { Command, Group } from "../command.ts";
import { shellQuote } from "../human.ts";
import type { Flag } from "../parse.ts";
import { backupsText, backupText } from "../views/backups.ts";
import { volumeFlag, volumeOf } from "./snapshot.ts";

/** May stand before the sub-command, as in v0.5.2, or after it. */
const endpointFlag: Flag = {
  name: "s3-endpoint",
  type: "string",
  value: "URL",
  help: "S3 server to use, for example http://minio.example.com:9000",
};

const create: Command = {
  name: "create",
  summary: "copy a snapshot into a store",
  positionals: ["<snapshot>"],
  details: "Prints the URL of the backup, which `convoy create --backup` restores on any host.",
  flags: [
    {
      name: "dest",
      type: "string",
      value: "URL",
      help: "the store: vfs:///path/, s3://bucket@region/path/ or s3://bucket/path",
    },
    volumeFlag,
    {
      name: "init-store",
      type: "boolean",
      help: "accept a store directory on another disk than the one seen there before",
    },
    endpointFlag,
  ],
  examples: [
    ["Into a directory", "convoy backup create snap1 --dest vfs:///backup/"],
    ["Into S3", "convoy backup create snap1 --dest s3://bucket@eu-central-1/path/"],
    [
      "Into an S3 server of your own",
      "convoy backup create snap1 --dest s3://bucket/path --s3-endpoint http://minio.example.com:9000",
    ],
  ],
  async run(context, args) {
    const [name = ""] = args.positionals;
    await checkExistingNames(context, "snapshot", [name]);
    const body = await context.ask("POST", "/v1/backups/create", {
      URL: args.text("dest"),
      Endpoint: args.text("s3-endpoint"),
      SnapshotName: name,
      ...volumeOf(args),
      ...(args.on("init-store") ? { InitStore: true } : {}),
      Verbose: context.verbose,
    });
    if (context.verbose) return { body };
    const url = shellQuote(unescapeBackupUrl(body.toString()));
    return { body, text: () => url, hint: `restore it with \`${context.commandLine(`create NEW --backup ${url}`)}\`` };
  },
};

const deleteCommand: Command = {
  name: "delete",
  summary: "delete a backup from its store",
  positionals: ["<url>"],
  flags: [endpointFlag],
  examples: [["", "convoy backup delete 'vfs:///backup?backup=backup-aa27cdc9dc9c4555&volume=vol1'"]],
  async run(context, args) {
    const url = unescapeBackupUrl(args.positionals[0] ?? "");
    const body = await context.ask("DELETE", "/v1/backups", { URL: url, Endpoint: args.text("s3-endpoint") });
    return { body, text: () => `Deleted: ${shellQuote(url)}` };
  },
};

const list: Command = {
  name: "list",
  summary: "list the backups in a store",
  positionals: ["<dest>"],
  flags: [
    { name: "volume-name", type: "string", value: "NAME", help: "only the backups of this volume" },
    endpointFlag,
  ],
  examples: [
    ["All backups", "convoy backup list s3://bucket@eu-central-1/path/"],
    ["Those of one volume", "convoy backup list vfs:///backup/ --volume-name vol1"],
  ],
  async run(context, args) {
    const body = await context.ask("GET", "/v1/backups/list", {
      URL: args.positionals[0] ?? "",
      Endpoint: args.text("s3-endpoint"),
      VolumeName: args.text("volume-name"),
      SnapshotName: "",
    });
    return { body, text: () => backupsText(JSON.parse(body.toString()) as { [url: string]: BackupRecord }) };
  },
};

const inspect: Command = {
  name: "inspect",
  summary: "show a backup",
  positionals: ["<url>"],
  flags: [endpointFlag],
  examples: [["", "convoy backup inspect 'vfs:///backup?backup=backup-aa27cdc9dc9c4555&volume=vol1'"]],
  async run(context, args) {
    const body = await context.ask("GET", "/v1/backups/inspect", {
      URL: unescapeBackupUrl(args.positionals[0] ?? ""),
      Endpoint: args.text("s3-endpoint"),
      VolumeName: "",
      SnapshotName: "",
    });
    return { body, text: () => backupText(JSON.parse(body.toString()) as BackupRecord) };
  },
};

export const backup: Group = {
  name: "backup",
  summary: "make, list, show and delete backups",
  flags: [endpointFlag],
  commands: [create, deleteCommand, list, inspect],
};
