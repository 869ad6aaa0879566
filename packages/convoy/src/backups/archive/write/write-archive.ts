import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { OperationContext } from "../../../host/operation.ts";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { inOrder } from "../in-order.ts";
import { PIECES_IN_FLIGHT, piecePool } from "../pools.ts";
import type { PieceOutput } from "./piece.ts";
import { type PlannedPiece, planPieces } from "./plan.ts";
import { snapshotChanged } from "./snapshot-file.ts";

export interface WriteArchiveRequest {
  /** Directory whose content is the snapshot (`TreeSource.directory`). It must not change meanwhile. */
  directory: string;
  /** Its entries as the manifest has them: the root first, every directory before its content. */
  entries: AsyncIterable<TreeEntry>;
  /** Bytes of all files, for progress. */
  totalBytes?: number;
  /** Told of each file whose checksum the manifest did not have, so that it can be completed. */
  onChecksum?: (entry: TreeEntry, checksum: string) => void;
}

/** What is known once the archive is complete. */
export interface ArchiveSummary {
  /** Bytes of the archive. */
  size: number;
  /** SHA-256 of the archive, 64 hex digits. */
  sha256: string;
  /** Bytes of file data in it, holes not counted. */
  dataBytes: number;
  entries: number;
}

export interface ArchiveBody {
  /** The archive. Read it once, to its end; leaving early stops all work and gives everything back. */
  body: AsyncIterable<Uint8Array>;
  /** Defined once `body` was read to its end. */
  readonly summary: ArchiveSummary | undefined;
}

/**
 * Makes the single-file archive of a snapshot: a gzip-compressed tar stream (docs/backup-format.md, "Single-file
 * archives"), read, hashed and compressed on all cores.
 *
 * The body fails with BACKUP_DAMAGED, naming the file, if one is not what the manifest says (size, time, checksum:
 * R16); with CANCELLED after an abort; with the system's error if a file cannot be read.
 */
export function writeArchive(request: WriteArchiveRequest, context: OperationContext): ArchiveBody {
  const body = new Body(request, context);
  return { body, get summary() {
    return body.summary;
  } };
}

class Body implements AsyncIterable<Uint8Array> {
  readonly #request: WriteArchiveRequest;
  readonly #context: OperationContext;
  summary: ArchiveSummary | undefined;

  constructor(request: WriteArchiveRequest, context: OperationContext) {
    this.#request = request;
    this.#context = context;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { directory, entries, totalBytes } = this.#request;
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, stop.signal]);
    const root = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const plan = planPieces(entries, ({ path, size, mtimeNs }) =>
        piecePool.run("sparseRanges", { root: root.fd, file: { path, size, mtimeNs } }, { signal }),
      );
      const make = ({ input }: PlannedPiece) =>
        piecePool.run("makePiece", { root: root.fd, ...input }, { signal, transfer: [input.inline.buffer] });

      const sha = createHash("sha256");
      const summary = { size: 0, dataBytes: 0, entries: 0 };
      for await (const [piece, output] of inOrder(plan, PIECES_IN_FLIGHT, make, () => stop.abort())) {
        this.#check(piece, output);
        sha.update(output.member);
        summary.size += output.member.length;
        summary.dataBytes += piece.dataBytes;
        summary.entries += piece.entries;
        this.#context.progress({
          phase: "archive",
          bytesDone: summary.dataBytes,
          ...(totalBytes === undefined ? {} : { bytesTotal: totalBytes }),
        });
        yield output.member;
      }
      this.summary = { ...summary, sha256: sha.digest("hex") };
    } finally {
      await root.close();
    }
  }

  /** Compares the checksums of files that are complete with what the manifest has. */
  #check({ input, files, completed }: PlannedPiece, { digests }: PieceOutput): void {
    const slices = input.items.filter((item) => typeof item !== "number");
    for (const [index, slice] of slices.entries()) {
      files[index]!.add(slice.start, digests.subarray(32 * index, 32 * index + 32));
    }
    for (const file of completed) {
      const checksum = file.finish();
      if (file.entry.checksum === undefined) this.#request.onChecksum?.(file.entry, checksum);
      else if (file.entry.checksum !== checksum) {
        throw snapshotChanged(file.entry.path, "its content is not the recorded one (checksum)");
      }
    }
  }
}
