import { VERSION } from "../../version.ts";
import type { Command } from "../command.ts";

export const version: Command = {
  name: "version",
  summary: "print the version of this program",
  positionals: [],
  flags: [],
  details: "`convoy info` shows the version of the daemon.",
  examples: [["", "convoy version"]],
  async run() {
    return { body: `Convoy version v${VERSION}` };
  },
};
