import { ConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import { writeArchive } from "./archive/write/write-archive.ts";
import { readArchiveFile } from "./archive-file.ts";
import { type Digest, digested } from "./digest.ts";
import type { Source } from "./source.ts";

/** The archive of a snapshot as a stream. */
export interface ArchiveStream {
  /** Read it once, to its end; leaving early gives everything back. */
  body: AsyncIterable<Uint8Array>;
  /** Its size and checksum, once it was read to its end. */
  result(): Digest;
}

/** The archive of a snapshot: made of its tree, or the finished one that v0.5.2 left. */
export function readArchive(source: Source, context: OperationContext): ArchiveStream {
  if (source.kind === "archive") return digested(readArchiveFile(source, context));
  const archive = writeArchive({ source }, context);
  return {
    body: archive.body,
    result() {
      if (archive.summary !== undefined) return archive.summary;
      throw new ConvoyError("INTERNAL", "The archive was not read to its end");
    },
  };
}
