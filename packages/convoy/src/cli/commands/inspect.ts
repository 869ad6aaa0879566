import type { VolumeRecord } from "node-convoy";
import { checkExistingNames } from "../checks.ts";
import type { Command } from "../command.ts";
import { volumeText } from "../views/volumes.ts";

export const inspect: Command = {
  name: "inspect",
  summary: "show a volume with its snapshots and who holds its mount",
  positionals: ["<name>"],
  flags: [],
  examples: [
    ["Everything about a volume", "convoy inspect vol1"],
    ["Its directory, for a script (with jq)", "convoy --output json inspect vol1 | jq -r .DriverInfo.Path"],
  ],
  async run(context, args) {
    const [name = ""] = args.positionals;
    await checkExistingNames(context, "volume", [name]);
    const body = await context.ask("GET", "/v1/volumes/", { VolumeName: name });
    return { body, text: () => volumeText(JSON.parse(body.toString()) as VolumeRecord) };
  },
};
