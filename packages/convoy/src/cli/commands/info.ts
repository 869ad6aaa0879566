import type { InfoDocument } from "node-convoy";
import type { Command } from "../command.ts";
import { infoText } from "../views/info.ts";

export const info: Command = {
  name: "info",
  summary: "show the daemon's settings and its drivers",
  positionals: [],
  flags: [],
  examples: [
    ["Which drivers are there, and where do they keep their data", "convoy info"],
    ["The state directory, for a script (with jq)", "convoy --output json info | jq -r .General.Root"],
  ],
  async run(context) {
    const body = await context.ask("GET", "/v1/info");
    return { body, text: () => infoText(JSON.parse(body.toString()) as InfoDocument) };
  },
};
