import { lstat } from "node:fs/promises";
import { ConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import { readManifestTotals } from "../host/tree/manifest-totals.ts";
import { writeArchive } from "./archive/index.ts";
import { readArchiveFile } from "./archive-file.ts";
import { ManifestCompletion } from "./complete-manifest.ts";
import { type Digest, digested } from "./digest.ts";
import type { ArchiveSource, Source, TreeSource } from "./source.ts";

/** The archive of a snapshot as a stream. */
export interface ArchiveStream {
  /** Read it once, to its end; leaving early gives everything back. */
  body: AsyncIterable<Uint8Array>;
  /** Bytes that it will have at most, if that can be told: stores prepare by it. */
  sizeHint: number | undefined;
  /** Its size and checksum, once it was read to its end. */
  result(): Digest;
  /** Keeps what reading the snapshot has brought to light, once the backup is complete. Never fails. */
  keepFindings(): Promise<void>;
}

/** Bytes that an entry takes in an archive beside its content, generously. */
const ENTRY_BYTES = 2048;

/** The archive of a snapshot: made of its tree, or the finished one that v0.5.2 left. */
export function readArchive(source: Source, context: OperationContext): Promise<ArchiveStream> {
  return source.kind === "archive" ? ofFile(source, context) : ofTree(source, context);
}

async function ofFile(source: ArchiveSource, context: OperationContext): Promise<ArchiveStream> {
  return {
    ...digested(readArchiveFile(source, context)),
    // Whether it is there, and a file, is for the reading to tell.
    sizeHint: await lstat(source.file).then(
      ({ size }) => size,
      () => undefined,
    ),
    keepFindings: async () => undefined,
  };
}

async function ofTree(source: TreeSource, context: OperationContext): Promise<ArchiveStream> {
  const totals = await readManifestTotals(source.manifest).catch(() => undefined);
  const completion = new ManifestCompletion(source.manifest);
  const archive = writeArchive(
    {
      source,
      entries: completion.entries(),
      onChecksum: completion.add.bind(completion),
      ...(totals !== undefined && { totalBytes: totals.bytes }),
    },
    context,
  );
  return {
    body: archive.body,
    sizeHint: totals && totals.bytes + totals.entries * ENTRY_BYTES,
    result() {
      if (archive.summary !== undefined) return archive.summary;
      throw new ConvoyError("INTERNAL", "The archive was not read to its end");
    },
    keepFindings: () => completion.write(context.log),
  };
}
