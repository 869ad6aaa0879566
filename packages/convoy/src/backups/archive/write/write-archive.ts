import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { OperationContext } from "../../../host/operation.ts";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { readManifest } from "../../../host/tree/manifest.ts";
import type { TreeSource } from "../../source.ts";
import { inOrder } from "../in-order.ts";
import { PIECES_IN_FLIGHT, piecePool } from "../pools.ts";
import { release } from "../release.ts";
import type { FileChecksum } from "./file-checksum.ts";
import { type PlannedPiece, planPieces } from "./plan.ts";
import { snapshotChanged } from "./snapshot-file.ts";

export interface WriteArchiveRequest {
  /** The snapshot; it must not change meanwhile. */
  source: Pick<TreeSource, "directory" | "manifest">;
  /** Its entries, the root first, every directory before its content; left out, they are read from the manifest. */
  entries?: AsyncIterable<TreeEntry>;
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

export interface WrittenArchive {
  /**
   * The archive. Read it once, to its end; leaving early stops all work and gives everything back. A piece is valid
   * only until the next one is asked for: its memory is given back then.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Set once `body` was read to its end. */
  summary: ArchiveSummary | undefined;
}

/**
 * Makes the single-file archive of a snapshot: a gzip-compressed tar stream (docs/backup-format.md, "Single-file
 * archives"), read, hashed and compressed on all cores.
 *
 * The body fails with BACKUP_DAMAGED, naming the file, if one is not what the manifest says (size, time, checksum:
 * R16); with CANCELLED after an abort; with the system's error if a file cannot be read.
 */
export function writeArchive(request: WriteArchiveRequest, context: OperationContext): WrittenArchive {
  const archive: WrittenArchive = {
    body: produce(request, context, (summary) => {
      archive.summary = summary;
    }),
    summary: undefined,
  };
  return archive;
}

async function* produce(
  { source, entries, totalBytes, onChecksum }: WriteArchiveRequest,
  context: OperationContext,
  finished: (summary: ArchiveSummary) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const root = await open(source.directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const plan = planPieces(entries ?? readManifest(source.manifest), ({ path, size, mtimeNs }) =>
      piecePool.run("sparseRanges", { root: root.fd, file: { path, size, mtimeNs } }, { signal }),
    );
    const make = ({ input }: PlannedPiece) =>
      piecePool.run("makePiece", { root: root.fd, ...input }, { signal, transfer: [input.inline.buffer] });

    const sha = createHash("sha256");
    const summary = { size: 0, dataBytes: 0, entries: 0 };
    for await (const [piece, { compressed, digests }] of inOrder(plan, PIECES_IN_FLIGHT, make, () => stop.abort())) {
      takeDigests(piece, digests);
      for (const file of piece.completed) compare(file, onChecksum);
      sha.update(compressed);
      summary.size += compressed.length;
      summary.dataBytes += piece.dataBytes;
      summary.entries += piece.entries;
      context.progress({
        phase: "archive",
        bytesDone: summary.dataBytes,
        ...(totalBytes === undefined ? {} : { bytesTotal: totalBytes }),
      });
      yield compressed;
      release(compressed);
    }
    finished({ ...summary, sha256: sha.digest("hex") });
  } finally {
    await root.close();
  }
}

function takeDigests({ input, files }: PlannedPiece, digests: Uint8Array): void {
  const slices = input.items.filter((item) => typeof item !== "number");
  for (const [index, slice] of slices.entries()) {
    files[index]!.add(slice.start, digests.subarray(32 * index, 32 * index + 32));
  }
}

/** Compares the checksum of a file that is complete with what the manifest has. */
function compare(file: FileChecksum, onChecksum: WriteArchiveRequest["onChecksum"]): void {
  const checksum = file.finish();
  if (file.entry.checksum === undefined) onChecksum?.(file.entry, checksum);
  else if (file.entry.checksum !== checksum) {
    throw snapshotChanged(file.entry.path, "its content is not the recorded one (checksum)");
  }
}
