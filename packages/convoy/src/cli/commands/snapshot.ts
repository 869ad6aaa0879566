import type { SnapshotRecord } from "node-convoy";
import { checkExistingNames, checkNewName } from "../checks.ts";
import type { Command, Group } from "../command.ts";
import type { Arguments, Flag } from "../parse.ts";
import { snapshotText } from "../views/snapshots.ts";

/** Needed only where two volumes have a snapshot of one name, which an original daemon could bring about. */
export const volumeFlag: Flag = {
  name: "volume",
  type: "string",
  value: "NAME",
  help: "its volume; needed only if two volumes have a snapshot of this name",
};

/** The `VolumeName` of a request about a snapshot, where it was given. */
export function volumeOf(args: Arguments): { VolumeName?: string } {
  return args.has("volume") ? { VolumeName: args.text("volume") } : {};
}

const create: Command = {
  name: "create",
  summary: "keep the present state of a volume",
  positionals: ["<volume>"],
  details: "The volume may be mounted and in use. Without --name a name is made up and printed.",
  flags: [{ name: "name", type: "string", value: "NAME", help: "name of the snapshot, unlike that of any other" }],
  examples: [
    ["With a name of your choice", "convoy snapshot create vol1 --name before-upgrade"],
    ["Take a snapshot and back it up", 'convoy backup create "$(convoy snapshot create vol1)" --dest vfs:///backup/'],
  ],
  async run(context, args) {
    const [volume = ""] = args.positionals;
    const name = args.text("name");
    if (name !== "") checkNewName("snapshot", name);
    await checkExistingNames(context, "volume", [volume]);
    const data = { Name: name, VolumeName: volume, Verbose: context.verbose };
    const body = await context.ask("POST", "/v1/snapshots/create", data);
    const made = context.verbose ? name || "<snapshot>" : body.toString();
    return {
      body,
      hint: `back it up with \`${context.commandLine(`backup create ${made} --dest vfs:///path/`)}\``,
    };
  },
};

const deleteCommand: Command = {
  name: "delete",
  summary: "delete a snapshot",
  positionals: ["<snapshot>"],
  details: "Backups that were made of it are kept.",
  flags: [volumeFlag],
  examples: [["", "convoy snapshot delete before-upgrade"]],
  async run(context, args) {
    const [name = ""] = args.positionals;
    await checkExistingNames(context, "snapshot", [name]);
    const body = await context.ask("DELETE", "/v1/snapshots/", { SnapshotName: name, ...volumeOf(args) });
    return { body, text: () => `Deleted: ${name}` };
  },
};

const inspect: Command = {
  name: "inspect",
  summary: "show a snapshot",
  positionals: ["<snapshot>"],
  flags: [volumeFlag],
  examples: [["", "convoy snapshot inspect before-upgrade"]],
  async run(context, args) {
    const [name = ""] = args.positionals;
    await checkExistingNames(context, "snapshot", [name]);
    const body = await context.ask("GET", "/v1/snapshots/", { SnapshotName: name, ...volumeOf(args) });
    return { body, text: () => snapshotText(JSON.parse(body.toString()) as SnapshotRecord) };
  },
};

export const snapshot: Group = {
  name: "snapshot",
  summary: "make, show and delete snapshots",
  flags: [],
  commands: [create, deleteCommand, inspect],
};
