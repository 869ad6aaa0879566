import { checkExistingNames } from "../checks.ts";
import type { Command } from "../command.ts";
import { UsageError } from "../parse.ts";

export const umount: Command = {
  name: "umount",
  summary: "end the mount of a volume that was made by hand",
  positionals: ["<name>"],
  details:
    "If containers use the volume too, it stays mounted and the command fails and names them.\n" +
    "A volume that is not mounted is a success.",
  flags: [
    { name: "force", type: "boolean", help: "end the holds of this host's containers too (they may still be writing)" },
    {
      name: "root",
      type: "string",
      value: "ID",
      help: "with --force: also end those of this other daemon root (`convoy inspect` shows the ids)",
    },
  ],
  examples: [
    ["After `convoy mount vol1`", "convoy umount vol1"],
    ["The containers are gone, but Docker did not say so", "convoy umount vol1 --force"],
    ["The other host is gone for good", "convoy umount vol1 --force --root 6f9619ff8b86d011"],
  ],
  async run(context, args) {
    const [name = ""] = args.positionals;
    const force = args.on("force");
    if (args.has("root") && !force) throw new UsageError("--root needs --force");
    await checkExistingNames(context, "volume", [name]);
    const body = await context.ask("POST", "/v1/volumes/umount", {
      VolumeName: name,
      ...(force ? { Force: true } : {}),
      ...(args.has("root") ? { ForceRoot: args.text("root") } : {}),
    });
    return { body, text: () => `${name} is unmounted.` };
  },
};
