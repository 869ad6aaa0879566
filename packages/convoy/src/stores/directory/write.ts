import type { FileHandle } from "node:fs/promises";
import { type Body, pieces } from "../body.ts";

const BUFFER = 1 << 20;
/** From this size on a piece is written as it is; smaller ones are gathered first. */
const DIRECT = BUFFER / 2;

async function writeAll(handle: FileHandle, data: Uint8Array, failed: (error: unknown) => Error): Promise<void> {
  for (let done = 0; done < data.length; ) {
    try {
      done += (await handle.write(data, done, data.length - done)).bytesWritten;
    } catch (error) {
      throw failed(error);
    }
  }
}

/**
 * Writes a body at the file's position, in pieces of about 1 MiB.
 * @param failed makes the error of a failed write; errors of the body pass unchanged
 * @returns bytes written
 */
export async function writeBody(
  handle: FileHandle,
  body: Body,
  failed: (error: unknown) => Error,
  signal: AbortSignal | undefined,
): Promise<number> {
  let buffer: Buffer | undefined;
  let used = 0;
  let size = 0;
  const flush = async () => {
    if (buffer !== undefined && used > 0) await writeAll(handle, buffer.subarray(0, used), failed);
    used = 0;
  };
  for await (const piece of pieces(body, signal)) {
    size += piece.length;
    if (used + piece.length > BUFFER) await flush();
    if (piece.length >= DIRECT) {
      await flush();
      await writeAll(handle, piece, failed);
    } else {
      buffer ??= Buffer.allocUnsafe(BUFFER);
      buffer.set(piece, used);
      used += piece.length;
    }
  }
  await flush();
  return size;
}
