import { succeed } from "../test/lab/run.ts";

/** One line of bench/RESULTS.md. */
export interface Row {
  what: string;
  ours: string;
  yardstick: string;
  /** What is compared with the limit, in words for people. */
  result: string;
  limit: string;
  ok: boolean;
}

export interface Case {
  /** Name for `npm run bench -- <name>`. */
  name: string;
  run(): Promise<Row[]>;
}

/** Milliseconds that `work` takes. */
export async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest-rank percentile. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error("nothing was measured");
  return value;
}

/**
 * Runs competitors in turn, so that whatever else the machine does hits all of them alike.
 * @returns each one's median in milliseconds.
 */
export async function interleaved<Name extends string>(
  rounds: number,
  competitors: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(competitors) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) times.get(name)!.push(await competitors[name]());
  }
  return Object.fromEntries(names.map((name) => [name, median(times.get(name)!)])) as Record<Name, number>;
}

/** Makes what lies on the file system of `path` durable. */
export async function syncFileSystem(path: string): Promise<void> {
  await succeed("sync", ["-f", path], { timeoutMs: 600_000 });
}

/** The yardstick of backups, as people type it: `tar cf - -C <tree> . | gzip > <file>`. */
export async function tarGzip(tree: string, file: string): Promise<void> {
  const line = 'tar cf - -C "$1" . | gzip > "$2"';
  await succeed("sh", ["-c", line, "sh", tree, file], { timeoutMs: 900_000 });
}

export const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
export const millis = (milliseconds: number) => `${milliseconds.toFixed(2)} ms`;
export const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** A row whose ratio ours / yardstick must not exceed the limit. */
export function atMost(what: string, ours: number, yardstick: number, limit: number, unit: (n: number) => string): Row {
  const ratio = ours / yardstick;
  return {
    what,
    ours: unit(ours),
    yardstick: unit(yardstick),
    result: `${ratio.toFixed(2)} x`,
    limit: `at most ${limit} x`,
    ok: ratio <= limit,
  };
}

/** A row whose value itself must stay below the limit. */
export function below(what: string, ours: number, limit: number, unit: (n: number) => string): Row {
  return { what, ours: unit(ours), yardstick: "", result: unit(ours), limit: `below ${unit(limit)}`, ok: ours < limit };
}
