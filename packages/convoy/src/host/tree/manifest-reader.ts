import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../../errors.ts";
import { FORMAT, type ManifestHeader, type ManifestTotals, VERSION } from "./manifest-format.ts";
import { decodeEntry, MAX_LINE_BYTES, type ManifestEntry } from "./manifest-line.ts";

const CHUNK_BYTES = 256 << 10;

function damaged(path: string, why: string, cause?: unknown): ConvoyError {
  return new ConvoyError("FORGED", `The snapshot's manifest ${path} is damaged: ${why}`, {
    cause,
    hint: "The snapshot cannot be used; delete it and make a new one.",
  });
}

async function openManifest(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let handle: FileHandle;
  try {
    handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ELOOP") throw damaged(path, "it is a link", error);
    if (errnoOf(error) === "ENOENT") throw damaged(path, "it is not there", error);
    throw error;
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw damaged(path, "it is not a regular file");
}

/** Lines without their line feeds; the last one must have one, too. */
async function* readLines(path: string, handle: FileHandle): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let rest: Buffer[] = [];
  let restBytes = 0;
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) break;
    const bytes = Buffer.from(chunk.subarray(0, bytesRead));
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const line = bytes.subarray(from, at);
      yield rest.length === 0 ? line : Buffer.concat([...rest, line]);
      rest = [];
      restBytes = 0;
      from = at + 1;
    }
    if (from === bytes.length) continue;
    rest.push(bytes.subarray(from));
    restBytes += bytes.length - from;
    if (restBytes > MAX_LINE_BYTES) throw damaged(path, `a line has more than ${MAX_LINE_BYTES} bytes`);
  }
  if (rest.length > 0) throw damaged(path, "it ends within a line");
}

/** Refuses an order in which entries could not be made one after the other. */
class OrderCheck {
  #directories: string[] = [];
  readonly #linked = new Set<string>();

  /** @returns what is wrong, or undefined */
  refuse(entry: ManifestEntry): string | undefined {
    const path = entry.path.toString("latin1");
    if (path === "" || this.#directories.length === 0) {
      if (path !== "" || this.#directories.length > 0 || entry.type !== "directory") {
        return "the root directory must come first, and only once";
      }
      this.#directories = [""];
      return undefined;
    }
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    while (this.#directories.length > 0 && this.#directories.at(-1) !== parent) this.#directories.pop();
    if (this.#directories.length === 0) return `'${entry.path}' comes without its directory`;
    if (entry.type === "directory") this.#directories.push(path);
    if (entry.hardLinkTo !== undefined && !this.#linked.has(entry.hardLinkTo.toString("latin1"))) {
      return `'${entry.path}' is a hard link to '${entry.hardLinkTo}', which does not come before it`;
    }
    if (entry.hardLinkTo === undefined && entry.source !== undefined && entry.source.nlink > 1) this.#linked.add(path);
    return undefined;
  }
}

/**
 * Reads a manifest entry by entry. Entries are checked (types, paths, order) before they are given out; that nothing is
 * missing at the end is known only at the end, so let nothing that depends on it become visible before.
 * @param path absolute; may lie below /proc/self/fd
 * @throws FORGED if it is damaged, truncated, not a regular file or holds what we would not have written (R31, R32)
 */
export async function* readManifest(path: string): AsyncGenerator<ManifestEntry, ManifestTotals & ManifestHeader> {
  const handle = await openManifest(path);
  try {
    const hash = createHash("sha256");
    const order = new OrderCheck();
    const totals: ManifestTotals = { entries: 0, bytes: 0 };
    let header: ManifestHeader | undefined;
    let end: Record<string, unknown> | undefined;
    for await (const line of readLines(path, handle)) {
      if (end !== undefined) throw damaged(path, "something follows its end");
      const fields = parseLine(path, line);
      if (header === undefined) {
        header = headerOf(path, fields);
      } else if (fields["end"] === true) {
        end = fields;
        continue;
      } else {
        const entry = entryOf(path, fields, totals.entries);
        const wrong = order.refuse(entry);
        if (wrong !== undefined) throw damaged(path, wrong);
        totals.entries++;
        if (entry.hardLinkTo === undefined) totals.bytes += entry.size;
        yield entry;
      }
      hash.update(line).update("\n");
    }
    if (header === undefined || end === undefined) throw damaged(path, "it is truncated");
    if (end["entries"] !== totals.entries || end["bytes"] !== totals.bytes || end["sha256"] !== hash.digest("hex")) {
      throw damaged(path, "its content does not fit the checksum at its end");
    }
    return { ...totals, ...header };
  } finally {
    await handle.close();
  }
}

function parseLine(path: string, line: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch (error) {
    throw damaged(path, `'${line.toString("utf8", 0, 100)}' is not JSON`, error);
  }
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw damaged(path, "a line is not an object");
}

function headerOf(path: string, fields: Record<string, unknown>): ManifestHeader {
  if (fields["format"] !== FORMAT) throw damaged(path, `it does not begin with the format '${FORMAT}'`);
  if (fields["version"] !== VERSION) {
    throw new ConvoyError("UNSUPPORTED", `The manifest ${path} has version ${fields["version"]}; this is ${VERSION}`, {
      hint: "It was written by a newer Convoy; use that one.",
    });
  }
  const started = fields["startedNs"];
  if (started === undefined) return {};
  if (typeof started === "string" && /^[0-9]{1,20}$/.test(started)) return { startedNs: BigInt(started) };
  throw damaged(path, "startedNs is not a number");
}

function entryOf(path: string, fields: Record<string, unknown>, index: number): ManifestEntry {
  try {
    return decodeEntry(fields);
  } catch (error) {
    if (error instanceof ConvoyError) throw damaged(path, `entry ${index + 1}: ${error.message}`, error);
    throw error;
  }
}
