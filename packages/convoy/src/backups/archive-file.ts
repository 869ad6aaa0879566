import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import { GzipProbe } from "./gzip-probe.ts";
import type { ArchiveSource } from "./source.ts";
import { cancellation } from "./task-queue.ts";

const PIECE = 1024 * 1024;

/**
 * Streams a snapshot's finished archive (made by v0.5.2) as it is, and makes sure on the way that it is a whole gzip
 * file: what is acknowledged must be there and right, and an archive that cannot be unpacked is no backup.
 * The file is opened without following a link (R32); one that is missing is a failure, never an empty backup (D4).
 * @throws SNAPSHOT_NOT_FOUND, BACKUP_DAMAGED
 */
export async function* readArchiveFile(
  { file }: ArchiveSource,
  { signal, progress }: OperationContext,
): AsyncGenerator<Uint8Array> {
  const handle = await openRegular(file);
  const probe = new GzipProbe();
  try {
    const { size } = await handle.stat();
    let done = 0;
    for (;;) {
      if (signal.aborted) throw cancellation(signal);
      // A new buffer each time: the store may still be sending the last one.
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(PIECE), 0, PIECE, done);
      if (bytesRead === 0) break;
      done += bytesRead;
      const piece = buffer.subarray(0, bytesRead);
      await probe.write(piece);
      yield piece;
      progress({ phase: "uploading", bytesDone: done, bytesTotal: size });
    }
    if (done !== size) throw unusable(file, `it changed from ${size} to ${done} bytes while it was read`);
    await probe.end();
  } catch (error) {
    if (!(error instanceof GzipProbe.Damaged)) throw error;
    throw unusable(file, error.message, error);
  } finally {
    probe.destroy();
    await handle.close();
  }
}

async function openRegular(file: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") {
      throw new ConvoyError("SNAPSHOT_NOT_FOUND", `The archive ${file} of the snapshot is not there`, {
        cause,
        hint: "Snapshots of Convoy v0.5.2 lie on the host that made them; back it up there.",
      });
    }
    throw unusable(file, errnoOf(cause) === "ELOOP" ? "it is a link" : "it cannot be opened", cause);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw unusable(file, "it is not a regular file");
}

function unusable(file: string, what: string, cause?: unknown): ConvoyError {
  return new ConvoyError("BACKUP_DAMAGED", `The archive ${file} of the snapshot cannot be backed up: ${what}`, {
    cause,
    hint: "Take a new snapshot of the volume and back that up.",
  });
}
