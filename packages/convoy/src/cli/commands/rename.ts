import { checkExistingNames, checkNewName } from "../checks.ts";
import type { Command } from "../command.ts";

export const rename: Command = {
  name: "rename",
  summary: "give an unmounted volume another name",
  positionals: ["<volume>", "<new>"],
  details: "Snapshots go with the volume. Its backups stay under the old name.",
  flags: [],
  examples: [
    ["Swap a restored volume in under the name that a compose file uses", "convoy rename vol1 vol1-old"],
    ["", "convoy rename res1 vol1"],
  ],
  async run(context, args) {
    const [name = "", newName = ""] = args.positionals;
    checkNewName("volume", newName);
    await checkExistingNames(context, "volume", [name]);
    const body = await context.ask("POST", "/v1/volumes/rename", { VolumeName: name, NewName: newName });
    return { body, text: () => `${name} is now ${newName}.` };
  },
};
