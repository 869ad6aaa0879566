import { messageOf } from "../../errors.ts";
import { checkExistingNames } from "../checks.ts";
import type { Command, Context } from "../command.ts";
import { errorText } from "../failure.ts";
import { UsageError } from "../parse.ts";

export const deleteCommand: Command = {
  name: "delete",
  summary: "delete volumes with their data and snapshots",
  positionals: ["<name>..."],
  details:
    "All names are checked first; then every one is tried. Backups are kept: `convoy backup delete` removes them.",
  flags: [
    {
      name: "reference",
      alias: "r",
      type: "boolean",
      help: "only forget the volume: its data and snapshots stay and can be taken back",
    },
    {
      name: "detached",
      type: "boolean",
      help: "end for good what was deleted with --reference, data and snapshots included",
    },
  ],
  examples: [
    ["For good", "convoy delete vol1 vol2"],
    ["Forget a volume, and take it back later", "convoy delete --reference vol1"],
    ["", "convoy create vol1"],
    ["Free the space of a forgotten volume", "convoy delete --detached vol1"],
  ],
  async run(context, args) {
    const names = args.positionals;
    const detached = args.on("detached");
    const reference = args.on("reference");
    if (detached && reference) throw new UsageError("--detached and --reference exclude each other");
    if (!detached) await checkExistingNames(context, "volume", names);
    let failure: unknown;
    for (const name of names) {
      try {
        const data = { VolumeName: name, ReferenceOnly: reference, ...(detached ? { Detached: true } : {}) };
        await context.ask("DELETE", "/v1/volumes/", data);
        if (context.json) context.print("\n");
      } catch (error) {
        failure = error;
        reportOne(context, name, error);
      }
    }
    if (failure !== undefined) throw failure;
    if (context.json) return 0;
    return {
      body: "",
      text: () => `${reference ? "Forgotten" : "Deleted"}: ${names.join(", ")}`,
      ...(reference
        ? {
            hint: `\`${context.commandLine("list --detached")}\` shows it; \`convoy create ${names[0]}\` takes it back`,
          }
        : {}),
    };
  },
};

/** Scripts of v0.5.2 find the reason of each failure on standard output. */
function reportOne(context: Context, name: string, error: unknown): void {
  if (context.json) context.print(`Error deleting ${name}: ${errorText(error)}\n`);
  else context.note(`convoy: ${name}: ${messageOf(error)}`);
}
