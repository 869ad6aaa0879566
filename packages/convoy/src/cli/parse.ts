/** One option of a command. */
export interface Flag {
  readonly name: string;
  /** One-letter form. */
  readonly alias?: string;
  /** `strings`: may be repeated, all values are kept. */
  readonly type: "string" | "boolean" | "strings";
  /** Name of the value in the help. */
  readonly value?: string;
  readonly help: string;
  /** Default, shown in the help. */
  readonly initial?: string;
  /** The only values allowed. */
  readonly choices?: readonly string[];
}

/** A command line that does not fit the command's options or arguments. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The options and arguments of one command line. */
export class Arguments {
  readonly #values: ReadonlyMap<string, string | boolean | string[]>;
  readonly positionals: readonly string[];

  constructor(values: ReadonlyMap<string, string | boolean | string[]>, positionals: readonly string[]) {
    this.#values = values;
    this.positionals = positionals;
  }

  /** Value of a string option; empty when it was not given. */
  text(name: string): string {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : "";
  }

  /** All values of a repeatable option. */
  texts(name: string): string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value : [];
  }

  /** Value of a boolean option. */
  on(name: string): boolean {
    return this.#values.get(name) === true;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Names of the options that were given. */
  get given(): string[] {
    return [...this.#values.keys()];
  }

  /** These arguments, with the options of `outer` where they were not given here. */
  withDefaults(outer: Arguments): Arguments {
    return new Arguments(new Map([...outer.#values, ...this.#values]), this.positionals);
  }
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((word) => [word, false] as const),
]);

const HELP_FLAG: Flag = { name: "help", alias: "h", type: "boolean", help: "show this help" };

/** The options of a command and `--help`, which every command has. */
export function withHelp(flags: readonly Flag[]): Flag[] {
  return [...flags, HELP_FLAG];
}

/**
 * Reads options by the rules of Go's flag package, which scripts written for v0.5.2 rely on: one or two dashes,
 * `--name value` or `--name=value`, booleans without a separate value, `--` ends the options, of a repeated option the
 * last one wins. Unlike there, arguments keep their order, and an option never takes another option as its value.
 * @param stopAtWord the first word that is no option ends the reading; it and what follows are the `positionals`.
 * @throws {UsageError}
 */
export function parseWords(words: readonly string[], flags: readonly Flag[], stopAtWord = false): Arguments {
  const known = new Map<string, Flag>();
  for (const flag of withHelp(flags)) {
    known.set(flag.name, flag);
    if (flag.alias) known.set(flag.alias, flag);
  }
  const isOption = (word: string): boolean => word === "--" || known.has(/^--?([^-=][^=]*)/.exec(word)?.[1] ?? "");
  const values = new Map<string, string | boolean | string[]>();
  const positionals: string[] = [];

  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") {
      positionals.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (stopAtWord) return new Arguments(values, words.slice(at));
      positionals.push(word);
      continue;
    }
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
    if (!match) throw new UsageError(`bad flag syntax: ${word}`);
    const [, name = "", attached] = match;
    const flag = known.get(name);
    if (!flag) throw new UsageError(`flag provided but not defined: -${name}`);
    if (flag.type === "boolean") {
      values.set(flag.name, booleanValue(name, attached ?? "true"));
      continue;
    }
    const next = words[at + 1];
    if (attached === undefined && (next === undefined || isOption(next))) {
      throw new UsageError(`flag needs an argument: -${name}`);
    }
    const value = attached ?? words[++at]!;
    checkChoice(flag, value);
    if (flag.type === "strings") {
      const earlier = values.get(flag.name);
      values.set(flag.name, Array.isArray(earlier) ? [...earlier, value] : [value]);
    } else {
      values.set(flag.name, value);
    }
  }
  return new Arguments(values, positionals);
}

function booleanValue(name: string, text: string): boolean {
  const value = BOOLEANS.get(text);
  if (value === undefined) throw new UsageError(`invalid boolean value "${text}" for -${name}: parse error`);
  return value;
}

function checkChoice(flag: Flag, value: string): void {
  if (flag.choices && !flag.choices.includes(value)) {
    throw new UsageError(`invalid value "${value}" for -${flag.name}: must be one of ${flag.choices.join(", ")}`);
  }
}
