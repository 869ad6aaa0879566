/** One command of a transcript file with what has to come out. */
export interface Step {
  command: string;
  /** Lines of stdout. */
  expected: string[];
  code: number;
  /** Why it is not what Convoy v0.5.2 did, if it is not. */
  difference: string | undefined;
}

/** Reads a transcript file; its format is described at its beginning. */
export function parseTranscript(text: string): Step[] {
  const steps: Step[] = [];
  for (const block of text.split("\n\n")) {
    const lines = block.trimEnd().split("\n");
    if (!lines[0]?.startsWith("$ ")) continue;
    const difference = lines.find((line) => line.startsWith("~ "))?.slice(2);
    const [mark, end] = difference === undefined ? ["|", "= "] : [">", "=> "];
    const code = lines.find((line) => line.startsWith(end))?.slice(end.length);
    if (code === undefined) throw new Error(`no exit code after ${lines[0]}`);
    steps.push({
      command: lines[0].slice(2),
      expected: lines.filter((line) => line.startsWith(mark) && !line.startsWith("=")).map((line) => line.slice(2)),
      code: Number(code),
      difference,
    });
  }
  return steps;
}

/** Splits a command line as a POSIX shell does: quotes and backslashes, no expansions. `;` ends a command. */
export function shellWords(line: string): string[][] {
  const commands: string[][] = [[]];
  const pattern = /\s+|;|((?:'[^']*'|"[^"]*"|\\.|[^\s;'"\\])+)/g;
  for (const [token, word] of line.matchAll(pattern)) {
    if (token === ";") commands.push([]);
    else if (word !== undefined) commands.at(-1)!.push(word.replace(/'([^']*)'|"([^"]*)"|\\(.)/g, unquoted));
  }
  return commands;
}

function unquoted(_match: string, single?: string, double?: string, escaped?: string): string {
  return single ?? double ?? escaped ?? "";
}

const GENERATED = /(?:volume|snapshot|backup)-[0-9a-f]{16}\b/g;
/** Fields that v0.5.2 does not have. */
const ADDED_LINE = /^\s*"(?:BackupUUID|VolumeUUID|SnapshotUUID|Version)": /;
const ADDED_LIST = /^\s*"(?:Holders|Warnings)": \[/;

/** Names that differ from run to run: those of the transcript, each with its counterpart in this run. */
export class Names {
  readonly #actual = new Map<string, string>();

  /** Text of the transcript with the names of this run. */
  apply(text: string): string {
    return text.replace(GENERATED, (name) => this.#actual.get(name) ?? name);
  }

  /** Learns the names that a command's output brought up: they appear in the same order in both. */
  learn(expected: string, actual: string): void {
    const known = new Set(this.#actual.values());
    const fresh = (actual.match(GENERATED) ?? []).filter((name) => !known.has(name));
    for (const name of expected.match(GENERATED) ?? []) {
      if (this.#actual.has(name)) continue;
      const counterpart = fresh.shift();
      if (counterpart !== undefined) this.#actual.set(name, counterpart);
    }
  }
}

/**
 * Output made comparable: times, the place of snapshots (v0.5.2: an archive, now: a tree) and commas at line ends are
 * not compared, fields that v0.5.2 does not have are left out, and keys stand in an order that generated names do not
 * change. `vol` records of snapshots keep their VolumeUUID, which v0.5.2 has there.
 */
export function normalise(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let inAddedList = false;
  const ofSnapshot = lines.some((line) => line.includes('"SnapshotName"') && !line.includes("Backup"));
  const ofBackup = lines.some((line) => line.includes('"BackupName"'));
  for (const line of lines) {
    if (inAddedList) {
      inAddedList = !/^\s*\],?$/.test(line);
      continue;
    }
    if (ADDED_LIST.test(line)) {
      inAddedList = !line.includes("]");
      continue;
    }
    if (ADDED_LINE.test(line) && !(ofSnapshot && !ofBackup && line.includes("VolumeUUID"))) continue;
    kept.push(
      line
        .replace(/[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}/g, "TIME")
        .replace(/"FilePath": "[^"]*"/, '"FilePath": "PLACE"')
        .replace(/,$/, ""),
    );
  }
  const names = new Set(kept.join("\n").match(GENERATED) ?? []);
  return names.size > 1 ? kept.sort() : kept;
}

/** Expected lines as a pattern in which an ellipsis stands for any text; one alone on a line for any lines. */
export function patternOf(lines: readonly string[]): RegExp {
  const source = lines
    .map((line) => (line === "…" ? "(?:[\\s\\S]*\n)?" : `${line.split("…").map(escaped).join("[^\n]*")}\n`))
    .join("");
  return new RegExp(`^${source}$`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
