import type { Convoy, Method } from "node-convoy";
import type { Arguments, Flag } from "./parse.ts";

/** What every command works with. */
export interface Context {
  readonly client: Convoy;
  readonly socket: string;
  /** `--verbose`: ask for whole records. */
  readonly verbose: boolean;
  /** Print what v0.5.2 printed; otherwise readable text for a person. */
  readonly json: boolean;
  /** Sends a request and gives the body of the answer as it came; the daemon's warnings go to standard error. */
  ask(method: Method, path: string, data?: unknown): Promise<Buffer>;
  /** Writes to standard output at once. */
  print(text: string | Buffer): void;
  /** Writes one line to standard error. */
  note(text: string): void;
  /** A `convoy` command line for a hint, with `--socket` where it is needed. */
  commandLine(words: string): string;
}

/** What a command has to say when it succeeded. */
export interface Outcome {
  /** The answer's body, printed as it is with one newline. */
  body: string | Buffer;
  /** The same for a person; left out: the body. */
  text?: () => string;
  /** What to do next, printed on a terminal only. */
  hint?: string;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Names of the arguments: `<name>` is required, `[name]` is not, `<name>...` takes one or more. */
  readonly positionals: readonly string[];
  readonly flags: readonly Flag[];
  /** More about the command, for its help. */
  readonly details?: string;
  /** Pairs of a remark and a command line. */
  readonly examples: readonly (readonly [remark: string, line: string])[];
  /** @returns what to print, or an exit code when everything was printed. */
  run(context: Context, args: Arguments): Promise<Outcome | number>;
}

/** Commands under a common word, such as `snapshot create`. */
export interface Group {
  readonly name: string;
  readonly summary: string;
  /** Options that may stand before the command's own name. */
  readonly flags: readonly Flag[];
  readonly commands: readonly Command[];
}

export function isGroup(item: Command | Group): item is Group {
  return "commands" in item;
}
