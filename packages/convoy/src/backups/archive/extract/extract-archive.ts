import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { OperationContext } from "../../../host/operation.ts";
import type { TreeTarget } from "../../source.ts";
import type { ExtractOutput } from "../archive-extract.worker.ts";
import { damaged } from "../errors.ts";
import { inOrder } from "../in-order.ts";
import { PIECES_IN_FLIGHT, piecePool } from "../pools.ts";
import { gunzip } from "./gunzip.ts";
import { type ArchiveMember, MemberSplitter } from "./split-members.ts";
import { TarWriterThread } from "./tar-writer-thread.ts";

export interface ExtractArchiveRequest {
  /** The archive: ours, or the one gzip member of Convoy v0.5.2. */
  body: AsyncIterable<Uint8Array>;
  /** An empty directory. After a failure its content is worthless and the caller throws it away. */
  target: TreeTarget;
  /** What the archive must be, as the backup's cfg has it. */
  expect?: { size?: number; sha256?: string };
  /** Bytes of all files, for progress. */
  totalBytes?: number;
}

export interface ExtractedArchive extends ExtractOutput {
  /** Bytes of the archive, and its SHA-256 (64 hex digits). */
  size: number;
  sha256: string;
}

/**
 * Restores an archive into an empty directory. When it resolves, everything is on the disk with owners, modes, times,
 * xattrs, ACLs, hard links, devices and holes as they were, and the whole archive was read and found right.
 *
 * @throws BACKUP_DAMAGED if the archive is truncated, altered or not the expected one; FORGED if a member points
 *   outside the volume; NO_SPACE before less than the reserve is left; UNSUPPORTED if the file system cannot keep what
 *   the archive holds; CANCELLED after an abort; what the body throws.
 */
export async function extractArchive(
  { body, target, expect, totalBytes }: ExtractArchiveRequest,
  context: OperationContext,
): Promise<ExtractedArchive> {
  // The directory is the caller's own and may be a /proc/self/fd path, which is a link.
  const root = await open(target.directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const writer = new TarWriterThread({ root: root.fd, reserveBytes: target.reserveBytes, totalBytes }, context);
    const archive = { size: 0, sha: createHash("sha256") };
    try {
      for await (const piece of decompress(measured(body, archive), context)) await writer.push(piece);
      const extracted = await writer.end();
      const sha256 = archive.sha.digest("hex");
      if (expect?.size !== undefined && archive.size !== expect.size) {
        throw damaged(`it has ${archive.size} bytes, recorded are ${expect.size}`);
      }
      if (expect?.sha256 !== undefined && sha256 !== expect.sha256) {
        throw damaged(`its SHA-256 is ${sha256}, recorded is ${expect.sha256}`);
      }
      return { ...extracted, size: archive.size, sha256 };
    } finally {
      await writer.stop();
    }
  } finally {
    await root.close();
  }
}

async function* measured(
  body: AsyncIterable<Uint8Array>,
  archive: { size: number; sha: ReturnType<typeof createHash> },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) {
    archive.size += chunk.length;
    archive.sha.update(chunk);
    yield chunk;
  }
}

/** The tar stream in pieces that may be moved to another thread. Members of ours are inflated on all cores. */
async function* decompress(
  body: AsyncIterable<Uint8Array>,
  context: OperationContext,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const splitter = new MemberSplitter(body);
  const inflate = ({ bytes, where }: ArchiveMember) =>
    piecePool.run("inflateMember", { member: bytes, where }, { signal, transfer: [bytes.buffer] });
  try {
    for await (const [, piece] of inOrder(splitter.members(), PIECES_IN_FLIGHT, inflate, () => stop.abort())) {
      yield piece;
    }
    if (splitter.foreign) yield* gunzip(splitter.rest());
  } finally {
    await splitter.close();
  }
}
