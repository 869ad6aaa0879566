import type { DetachedVolumeRecord, DriverInfo, VolumeRecord } from "node-convoy";
import type { Command } from "../command.ts";
import { UsageError } from "../parse.ts";
import { detachedText, driverInfosText, volumesText } from "../views/volumes.ts";

export const list: Command = {
  name: "list",
  summary: "list all volumes",
  positionals: [],
  flags: [
    { name: "driver", type: "boolean", help: "show what the drivers know about each volume" },
    { name: "detached", type: "boolean", help: "show the volumes that were deleted with --reference" },
  ],
  examples: [
    ["A table", "convoy list"],
    ["Names only, for a script (with jq)", "convoy --output json list | jq -r 'keys[]'"],
    ["What can be taken back with `convoy create`", "convoy list --detached"],
  ],
  async run(context, args) {
    if (args.on("detached")) {
      if (args.on("driver")) throw new UsageError("--detached and --driver exclude each other");
      const body = await context.ask("GET", "/v1/volumes/list?detached=1");
      return { body, text: () => detachedText(parse<DetachedVolumeRecord>(body)) };
    }
    if (args.on("driver")) {
      const body = await context.ask("GET", "/v1/volumes/list?driver=1");
      return { body, text: () => driverInfosText(parse<DriverInfo>(body)) };
    }
    const body = await context.ask("GET", "/v1/volumes/list");
    return { body, text: () => volumesText(parse<VolumeRecord>(body)) };
  },
};

function parse<T>(body: Buffer): { [name: string]: T } {
  return JSON.parse(body.toString()) as { [name: string]: T };
}
