import { unescapeBackupUrl } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";
import { checkNewName, sizeOf, wholeNumber } from "../checks.ts";
import type { Command } from "../command.ts";
import type { Arguments } from "../parse.ts";

/** The largest id of a user or group; the one above it means "nobody at all" to chown(2). */
const LARGEST_ID = 2 ** 32 - 2;

export const create: Command = {
  name: "create",
  summary: "make a volume, empty or from a backup",
  positionals: ["[name]"],
  details:
    "Without a name one is made up and printed. Options that the driver cannot use are refused where ignoring\n" +
    "them would give wrong data (--backup, --id, --s3-endpoint, --vm), else a warning says so (--size, --type, --iops).",
  flags: [
    { name: "driver", type: "string", value: "NAME", help: "driver to use instead of the daemon's default" },
    {
      name: "size",
      type: "string",
      value: "SIZE",
      help: "size in bytes, or with k, m, g or t at the end (powers of 1024)",
    },
    { name: "backup", type: "string", value: "URL", help: "restore this backup into the new volume" },
    {
      name: "s3-endpoint",
      type: "string",
      value: "URL",
      help: "S3 server of the backup, for example http://minio.example.com:9000",
    },
    { name: "id", type: "string", value: "ID", help: "take over this volume of the driver (ebs, digitalocean)" },
    { name: "type", type: "string", value: "TYPE", help: "type of the volume (ebs)" },
    { name: "iops", type: "string", value: "N", help: "input and output operations per second (ebs)" },
    { name: "vm", type: "boolean", help: "keep a disk image of the given size in the volume (vfs, glusterfs)" },
    { name: "uid", type: "string", value: "UID", help: "owner of the new volume's root directory" },
    { name: "gid", type: "string", value: "GID", help: "group of the new volume's root directory" },
    { name: "mode", type: "string", value: "MODE", help: "mode of that directory, octal, for example 0770" },
  ],
  examples: [
    ["An empty volume", "convoy create vol1"],
    ["For containers that run as user 1000", "convoy create vol1 --uid 1000 --gid 1000 --mode 0750"],
    ["A disk image of 10 GiB for a virtual machine", "convoy create disk1 --vm --size 10G"],
    ["Restore a backup", "convoy create res1 --backup 'vfs:///backup?backup=backup-aa27cdc9dc9c4555&volume=vol1'"],
  ],
  async run(context, args) {
    for (const flag of NEVER_EMPTY) refuseEmpty(args, flag);
    const name = args.positionals[0] ?? "";
    if (name !== "") checkNewName("volume", name);
    const data = {
      Name: name,
      DriverName: args.text("driver"),
      Size: sizeOf(args.text("size")),
      BackupURL: unescapeBackupUrl(args.text("backup")),
      Endpoint: args.text("s3-endpoint"),
      DriverVolumeID: args.text("id"),
      Type: args.text("type"),
      IOPS: args.has("iops") ? wholeNumber("iops", args.text("iops")) : 0,
      PrepareForVM: args.on("vm"),
      ...ownerOf(args),
      Verbose: context.verbose,
    };
    const body = await context.ask("POST", "/v1/volumes/create", data);
    const made = context.verbose ? name || "<name>" : body.toString();
    return {
      body,
      hint: `mount it with \`${context.commandLine(`mount ${made}`)}\`, or use it with \`docker run -v ${made}:/data --volume-driver=convoy ...\``,
    };
  },
};

/** Options whose value often comes from another command's output, and that make another volume when left out. */
const NEVER_EMPTY = ["backup", "s3-endpoint", "id"];

function refuseEmpty(args: Arguments, flag: string): void {
  if (!args.has(flag) || args.text(flag) !== "") return;
  throw new ConvoyError("INVALID_OPTION", `Invalid value "" for --${flag}: must not be empty`, {
    hint: `If the value comes from another command, that one has failed: an empty --${flag} would make an empty volume. Leave the option out if that is what you want.`,
  });
}

/** Owner and mode go into the request only where they were given: v0.5.2 does not know them. */
function ownerOf(args: Arguments): { UID?: number; GID?: number; Mode?: string } {
  const mode = args.text("mode");
  if (args.has("mode") && !/^[0-7]{3,4}$/.test(mode)) {
    throw new ConvoyError("INVALID_OPTION", `Invalid value "${mode}" for --mode: must be three or four octal digits`, {
      hint: "For example --mode 0770.",
    });
  }
  return {
    ...(args.has("uid") ? { UID: wholeNumber("uid", args.text("uid"), LARGEST_ID) } : {}),
    ...(args.has("gid") ? { GID: wholeNumber("gid", args.text("gid"), LARGEST_ID) } : {}),
    ...(mode === "" ? {} : { Mode: mode }),
  };
}
