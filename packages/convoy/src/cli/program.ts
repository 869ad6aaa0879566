import { Convoy, DEFAULT_SOCKET } from "node-convoy";
import { ConvoyError, messageOf } from "../errors.ts";
import { VERSION } from "../version.ts";
import { type Command, type Context, type Group, isGroup, type Outcome } from "./command.ts";
import { createContext } from "./context.ts";
import { errorText, hintFor } from "./failure.ts";
import { commandHelp, groupHelp, programHelp } from "./help.ts";
import { isTerminal, STDERR, STDOUT, writeAll } from "./io.ts";
import { toJson } from "./json.ts";
import { Arguments, type Flag, parseWords, UsageError } from "./parse.ts";
import { COMMANDS } from "./registry.ts";
import { suggest } from "./suggest.ts";

export const GLOBAL_FLAGS: readonly Flag[] = [
  {
    name: "socket",
    alias: "s",
    type: "string",
    value: "PATH",
    initial: DEFAULT_SOCKET,
    help: "unix socket where the daemon listens",
  },
  { name: "debug", alias: "d", type: "boolean", help: "show the requests on standard error" },
  { name: "verbose", type: "boolean", help: "create, mount, snapshot create, backup create: print the whole record" },
  {
    name: "output",
    type: "string",
    value: "FORM",
    choices: ["json", "text"],
    help: "for programs or for people; without it a terminal gets text, a file or pipe JSON",
  },
  { name: "version", alias: "v", type: "boolean", help: "print the version" },
];

/** What a command line asks for: a command with its arguments, or a help text. */
type Request = { kind: "help"; text: string } | { kind: "run"; path: string; command: Command; args: Arguments };

/** Where in the tree of commands the reading of a line has come to, for the help text of a usage error. */
interface Place {
  /** Made only when it is shown: composing it costs a twentieth of a short command. */
  help: () => string;
  path: string;
}

/**
 * Runs one command line (without `node` and the script).
 * @returns the exit code: 0, or 1 for every failure, as in v0.5.2.
 */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const place: Place = { help: () => programHelp(COMMANDS, GLOBAL_FLAGS), path: "convoy" };
  let json = !isTerminal(STDOUT);
  try {
    const globals = parseWords(words, GLOBAL_FLAGS, true);
    if (globals.has("output")) json = globals.text("output") === "json";
    const request = requestOf(globals, place);
    if (request.kind === "help") {
      writeAll(STDOUT, request.text);
      return 0;
    }
    const outcome = await request.command.run(contextOf(globals, json), request.args);
    return typeof outcome === "number" ? outcome : report(outcome, json);
  } catch (error) {
    reportFailure(error, place, json);
    return 1;
  }
}

function contextOf(globals: Arguments, json: boolean): Context {
  const socket = globals.has("socket") ? globals.text("socket") : DEFAULT_SOCKET;
  if (socket === "") {
    throw new ConvoyError("INVALID_OPTION", "Error when executing command: Require unix domain socket location", {
      hint: `Leave --socket out for ${DEFAULT_SOCKET}.`,
    });
  }
  return createContext(new Convoy(socket), { json, verbose: globals.on("verbose"), debug: globals.on("debug") });
}

function requestOf(globals: Arguments, place: Place): Request {
  if (globals.on("version")) return { kind: "help", text: `Convoy version v${VERSION}\n` };
  const [name, ...rest] = globals.positionals;
  if (name === undefined || globals.on("help")) return { kind: "help", text: place.help() };
  if (name === "help" || name === "h") return { kind: "help", text: helpOf(COMMANDS, rest, place.help) };
  const item = find(COMMANDS, name);
  if (!isGroup(item)) return commandRequest(item, rest, item.name, new Arguments(new Map(), []), place);

  place.help = () => groupHelp(item);
  place.path = `convoy ${item.name}`;
  const outer = parseWords(rest, item.flags, true);
  const [child, ...last] = outer.positionals;
  if (child === undefined || outer.on("help")) return { kind: "help", text: place.help() };
  if (child === "help" || child === "h") return { kind: "help", text: helpOf(item.commands, last, place.help, item) };
  return commandRequest(find(item.commands, child), last, `${item.name} ${child}`, outer, place);
}

function commandRequest(
  command: Command,
  words: readonly string[],
  path: string,
  outer: Arguments,
  place: Place,
): Request {
  place.help = () => commandHelp(path, command);
  place.path = `convoy ${path}`;
  const args = parseWords(words, command.flags);
  if (args.on("help")) return { kind: "help", text: place.help() };
  checkCount(command, args.positionals);
  return { kind: "run", path, command, args: args.withDefaults(outer) };
}

/** Every `<argument>` has to be there and not be empty, and none may be left over. */
function checkCount(command: Command, given: readonly string[]): void {
  const many = command.positionals.some((name) => name.endsWith("..."));
  const missing = command.positionals.find(
    (name, at) => name.startsWith("<") && (!given[at] || (many && given.includes(""))),
  );
  if (missing !== undefined) throw new UsageError(`missing argument: ${missing.replace(/[<>.]/g, "")}`);
  const extra = many ? undefined : given[command.positionals.length];
  if (extra !== undefined) throw new UsageError(`unexpected argument: ${extra}`);
}

function find<T extends Command | Group>(items: readonly T[], name: string): T {
  const item = items.find((candidate) => candidate.name === name);
  if (item) return item;
  const near = suggest(
    name,
    items.map((candidate) => candidate.name),
  );
  throw new ConvoyError("INVALID_OPTION", `Unrecognized command: ${name}`, {
    hint: near ? `Did you mean "${near}"?` : "`convoy help` shows the commands.",
  });
}

function helpOf(
  items: readonly (Command | Group)[],
  words: readonly string[],
  all: () => string,
  group?: Group,
): string {
  const [name, child] = words;
  if (name === undefined) return all();
  const item = find(items, name);
  if (!isGroup(item)) return commandHelp(group ? `${group.name} ${name}` : name, item);
  return child === undefined ? groupHelp(item) : commandHelp(`${name} ${child}`, find(item.commands, child));
}

function report(outcome: Outcome, json: boolean): number {
  const text = json ? undefined : outcome.text?.();
  if (text === undefined) writeAll(STDOUT, outcome.body);
  if (text !== "") writeAll(STDOUT, `${text ?? ""}\n`);
  if (outcome.hint && !json && isTerminal(STDERR)) writeAll(STDERR, `hint: ${outcome.hint}\n`);
  return 0;
}

/** The failure for programs on standard output, one line and what to do next for people on standard error. */
function reportFailure(error: unknown, place: Place, json: boolean): void {
  if (error instanceof UsageError) writeAll(STDOUT, `Incorrect Usage.\n\n${place.help()}\n`);
  if (json) writeAll(STDOUT, `${toJson({ Error: errorText(error) })}\n`);
  const line = messageOf(error)
    .replace(/\s*\n\s*/g, " ")
    .trim();
  writeAll(STDERR, `convoy: ${line}\nhint: ${hintFor(error, place.path)}\n`);
}
