import { createHash, type Hash, randomBytes } from "node:crypto";
import { closeSync, constants, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { ConvoyError } from "../../errors.ts";
import { FORMAT, type ManifestHeader, type ManifestTotals, VERSION } from "./manifest-format.ts";
import { encodeEntry, MAX_LINE_BYTES, type ManifestEntry } from "./manifest-line.ts";

const BATCH_BYTES = 256 << 10;

/** Writes a manifest, with synchronous calls: for worker threads, or for few entries. */
export class ManifestWriter {
  readonly #path: string;
  readonly #fd: number;
  /** Where the file is now. */
  #place: string;
  readonly #hash: Hash = createHash("sha256");
  #batch: string[] = [];
  #batchBytes = 0;
  #totals: ManifestTotals = { entries: 0, bytes: 0 };

  /** Makes the temporary file beside `path`; `finish` puts it in place, `abandon` removes it. */
  constructor(path: string) {
    this.#path = path;
    this.#place = `${dirname(path)}/.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`;
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    this.#fd = openSync(this.#place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  get fd(): number {
    return this.#fd;
  }

  /** Comes before the first entry. */
  begin(header: ManifestHeader): void {
    const startedNs = header.startedNs === undefined ? {} : { startedNs: header.startedNs.toString() };
    this.#line(JSON.stringify({ format: FORMAT, version: VERSION, ...startedNs }));
  }

  add(entry: ManifestEntry): void {
    this.#line(encodeEntry(entry));
    this.#totals.entries++;
    if (entry.hardLinkTo === undefined) this.#totals.bytes += entry.size;
  }

  /** Writes the end, makes the file durable and puts it in place (R1). */
  finish(): ManifestTotals {
    this.#flush();
    const end = { end: true, ...this.#totals, sha256: this.#hash.digest("hex") };
    this.#write(Buffer.from(`${JSON.stringify(end)}\n`));
    fsyncSync(this.#fd);
    renameSync(this.#place, this.#path);
    this.#place = this.#path;
    const directory = openSync(dirname(this.#path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    closeSync(this.#fd);
    return this.#totals;
  }

  /** Removes what was written. Not after `finish` has returned. */
  abandon(): void {
    closeSync(this.#fd);
    unlinkSync(this.#place);
  }

  #line(line: string): void {
    if (line.length > MAX_LINE_BYTES / 4) {
      throw new ConvoyError("UNSUPPORTED", `the entry ${line.slice(0, 200)}… has more than 4 MiB of attributes`);
    }
    this.#batch.push(line, "\n");
    this.#batchBytes += line.length + 1;
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.from(this.#batch.join(""));
    this.#batch = [];
    this.#batchBytes = 0;
    this.#hash.update(bytes);
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}
