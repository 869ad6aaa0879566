import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { errnoOf } from "../../../errors.ts";
import { damaged } from "../errors.ts";

const CHUNK = 512 * 1024;

/**
 * Decompresses what any gzip wrote, one member after the other, and checks that nothing is missing and nothing but
 * members is there. The chunks are the caller's own.
 */
export async function* gunzip(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const inflater = createGunzip({ chunkSize: CHUNK });
  let fed = 0;
  const feeding = pipeline(async function* () {
    for await (const chunk of body) {
      fed += chunk.length;
      // The stream may still hold it when the next one is asked for, and then its maker may use it again.
      yield Buffer.from(chunk);
    }
  }, inflater);
  // Looked at below; a failure also fails the iteration.
  feeding.catch(() => {});
  try {
    // zlib hands out views of a buffer that it goes on using.
    for await (const chunk of inflater) yield new Uint8Array(chunk as Buffer);
    await feeding;
  } catch (error) {
    const code = errnoOf(error) ?? (error as NodeJS.ErrnoException).code;
    if (code?.startsWith("Z_")) throw damaged(`it cannot be decompressed (${(error as Error).message})`, error);
    throw error;
  } finally {
    inflater.destroy();
  }
  if (inflater.bytesWritten !== fed) {
    throw damaged(`${fed - inflater.bytesWritten} bytes follow its end`);
  }
}
