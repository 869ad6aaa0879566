import { ConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import { readArchiveFile } from "./archive-file.ts";
import { type Digest, digested } from "./digest.ts";
import type { Source } from "./source.ts";

/** The archive of a snapshot as a stream, and its size and checksum once that has been read to its end. */
export interface ArchiveStream {
  body: AsyncIterable<Uint8Array>;
  result(): Digest;
}

export function readArchive(source: Source, context: OperationContext): ArchiveStream {
  if (source.kind === "archive") return digested(readArchiveFile(source, context));
  throw new ConvoyError("UNSUPPORTED", "tree");
}
