import { createHash } from "node:crypto";
import type { Logger } from "../host/log.ts";
import type { TreeEntry } from "../host/tree/entry.ts";
import { type ManifestHeader, ManifestWriter, readManifest } from "../host/tree/manifest.ts";

/** SHA-256 of the content, then the beginning of one of the path. */
const CHECKSUM_BYTES = 32;
const RECORD_BYTES = CHECKSUM_BYTES + 8;
const RECORDS_PER_BLOCK = 4096;

/**
 * Files that share their blocks with the volume are not read when the snapshot is made; the backup is the first to
 * read them, and completes the manifest with their checksums (R16), so that damage is noticed from then on.
 * Checksums come and go in the order of the manifest: 40 bytes each, whatever the paths' lengths.
 */
export class ManifestCompletion {
  readonly #manifest: string;
  readonly #blocks: Buffer[] = [];
  #count = 0;
  #header: ManifestHeader | undefined;

  constructor(manifest: string) {
    this.#manifest = manifest;
  }

  /** The manifest's entries, for the archive. */
  async *entries(): AsyncGenerator<TreeEntry> {
    this.#header = yield* readManifest(this.#manifest);
  }

  add(entry: TreeEntry, checksum: string): void {
    const at = (this.#count % RECORDS_PER_BLOCK) * RECORD_BYTES;
    if (at === 0) this.#blocks.push(Buffer.alloc(RECORDS_PER_BLOCK * RECORD_BYTES));
    const block = this.#blocks.at(-1)!;
    block.write(checksum, at, "hex");
    markOf(entry).copy(block, at + CHECKSUM_BYTES);
    this.#count++;
  }

  /**
   * Writes the manifest anew with what was added. A failure is only logged: the next backup of the snapshot tries
   * again, and the old manifest stays whole.
   */
  async write(log: Logger): Promise<void> {
    if (this.#count === 0 || this.#header === undefined) return;
    try {
      const writer = new ManifestWriter(this.#manifest);
      try {
        await this.#writeTo(writer, this.#header);
      } catch (error) {
        writer.abandon();
        throw error;
      }
    } catch (err) {
      log.warn({ err }, "the checksums of this snapshot's files could not be kept");
    }
  }

  async #writeTo(writer: ManifestWriter, { startedNs }: ManifestHeader): Promise<void> {
    writer.begin(startedNs === undefined ? {} : { startedNs });
    let next = 0;
    for await (const entry of readManifest(this.#manifest)) {
      const checksum = entry.type === "file" && entry.checksum === undefined ? this.#at(next, entry) : undefined;
      if (checksum !== undefined) next++;
      writer.add(checksum === undefined ? entry : { ...entry, checksum });
    }
    writer.finish();
  }

  /** The checksum with this number, if it is of this entry. */
  #at(index: number, entry: TreeEntry): string | undefined {
    const block = this.#blocks[Math.floor(index / RECORDS_PER_BLOCK)];
    if (block === undefined || index >= this.#count) return undefined;
    const at = (index % RECORDS_PER_BLOCK) * RECORD_BYTES;
    if (!markOf(entry).equals(block.subarray(at + CHECKSUM_BYTES, at + RECORD_BYTES))) return undefined;
    return block.toString("hex", at, at + CHECKSUM_BYTES);
  }
}

function markOf({ path }: TreeEntry): Buffer {
  return createHash("sha256")
    .update(path)
    .digest()
    .subarray(0, RECORD_BYTES - CHECKSUM_BYTES);
}
