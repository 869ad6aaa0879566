import { createCipheriv } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "../test/lab/random.ts";

const FILES = 5000;
const DIRECTORIES = 100;
const POOL = 16 << 20;
/** Sizes are log-uniform between these, in bytes, then scaled to the wanted total. */
const SMALLEST = 1 << 10;
const LARGEST = 1_580_000;

/** Kinds of content with their share of the bytes. */
const SHARES = { random: 0.4, words: 0.3, logs: 0.2, zeros: 0.1 } as const;
type Kind = keyof typeof SHARES;

/**
 * Fills `directory` with 5,000 files of `total` bytes together: 40 % random, 30 % words, 20 % log lines, 10 % zeros
 * (written, not holes). The same seed gives the same tree.
 */
export async function writeTree(directory: string, total = 1 << 30, seed = 1): Promise<void> {
  const random = new Random(seed);
  const pools = { words: words(random), logs: logs(random), zeros: Buffer.alloc(POOL), random: noise(seed, POOL) };
  const raw = Array.from({ length: FILES }, () => SMALLEST * (LARGEST / SMALLEST) ** random.next());
  const scale = total / raw.reduce((sum, size) => sum + size, 0);
  const written: Record<Kind, number> = { random: 0, words: 0, logs: 0, zeros: 0 };
  const kinds = Object.keys(SHARES) as Kind[];
  for (let number = 0; number < DIRECTORIES; number += 1) await mkdir(join(directory, `d${number}`));
  for (const [number, size] of raw.entries()) {
    const length = Math.max(1, Math.round(size * scale));
    // The kind that lags most behind its share.
    const kind = kinds.reduce((a, b) => (written[a] / SHARES[a] <= written[b] / SHARES[b] ? a : b));
    written[kind] += length;
    const pool = kind === "random" ? noise(seed + 1 + number, length) : pools[kind];
    const offset = kind === "random" ? 0 : random.between(0, POOL - length);
    await writeFile(join(directory, `d${number % DIRECTORIES}`, `f${number}`), pool.subarray(offset, offset + length));
  }
}

/** Bytes of a cipher's key stream: they do not compress, and the seed tells them. */
function noise(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Prose of 3,000 made-up words, the frequent ones far more frequent. */
function words(random: Random): Buffer {
  const letters = "etaoinshrdlucmfwypvbgkjqxz";
  const vocabulary = Array.from({ length: 3000 }, () =>
    Array.from(
      { length: random.between(2, 10) },
      () => letters[Math.floor(random.next() ** 1.7 * letters.length)],
    ).join(""),
  );
  const text: string[] = [];
  for (let length = 0; length < POOL; ) {
    const word = vocabulary[Math.floor(random.next() ** 2.5 * vocabulary.length)]!;
    text.push(word, random.next() < 0.08 ? ".\n" : " ");
    length += word.length + 1;
  }
  return Buffer.from(text.join("")).subarray(0, POOL);
}

function logs(random: Random): Buffer {
  const levels = ["INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"];
  const paths = ["/", "/login", "/api/v1/items", "/api/v1/orders", "/static/app.js", "/health"];
  const lines: string[] = [];
  let clock = Date.UTC(2026, 0, 1);
  for (let length = 0; length < POOL; ) {
    clock += random.between(1, 900);
    const address = [10, random.between(0, 3), random.between(0, 255), random.between(0, 255)].join(".");
    const line = `${new Date(clock).toISOString()} ${random.pick(levels)} client=${address} path=${random.pick(paths)} status=${random.pick([200, 200, 200, 304, 404, 500])} took=${random.between(1, 4000)}us id=${random.between(1e6, 1e9).toString(16)}\n`;
    lines.push(line);
    length += line.length;
  }
  return Buffer.from(lines.join("")).subarray(0, POOL);
}
