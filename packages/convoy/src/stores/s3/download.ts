import { setTimeout as sleep } from "node:timers/promises";
import { ConvoyError } from "../../errors.ts";
import { orAbort } from "../body.ts";
import { throwIfAborted } from "../cancel.ts";
import type { ObjectInfo } from "../store.ts";
import type { Connection } from "./connection.ts";
import { isNetworkFailure } from "./errors.ts";

/** Network pieces are gathered to about this size. */
const PIECE = 1 << 20;
const FIRST_PAUSE_MS = 200;

type Chunks = AsyncIterator<Uint8Array>;

export interface Download {
  info: ObjectInfo;
  body: S3Body;
}

/**
 * Asks for an object. Errors are the SDK's own.
 * @param name the key as the store's users know it
 */
export async function download(
  connection: Connection,
  key: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Download> {
  const { sdk, bucket } = connection;
  const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key });
  const { output } = await connection.send(command, { signal, streaming: true });
  const chunks = chunksOf(output.Body);
  const { ContentLength: size, LastModified: modified, ETag: etag } = output;
  if (size === undefined || modified === undefined) {
    await chunks.return?.();
    throw new ConvoyError("STORE_FAILED", `${connection.place.url}: the answer for ${name} has no size or no time`, {
      hint: "The endpoint does not answer as S3 does.",
    });
  }
  const info = { key: name, size, modified };
  return { info, body: new S3Body(connection, key, { size, etag }, chunks, signal) };
}

function chunksOf(body: unknown): Chunks {
  return (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
}

/**
 * The content of an object, in pieces of about 1 MiB. When the connection breaks it goes on where it was, with a
 * request for the rest of the same version, a limited number of times without progress.
 */
export class S3Body implements AsyncIterableIterator<Uint8Array> {
  readonly #connection: Connection;
  readonly #key: string;
  readonly #version: { size: number; etag: string | undefined };
  readonly #signal: AbortSignal | undefined;
  #chunks: Chunks | undefined;
  #position = 0;
  #failures = 0;
  #done = false;

  constructor(
    connection: Connection,
    key: string,
    version: { size: number; etag: string | undefined },
    chunks: Chunks,
    signal: AbortSignal | undefined,
  ) {
    this.#connection = connection;
    this.#key = key;
    this.#version = version;
    this.#chunks = chunks;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#done) return { done: true, value: undefined };
    try {
      throwIfAborted(this.#signal);
      const piece = await this.#gather();
      if (piece !== undefined) return { done: false, value: piece };
    } catch (error) {
      await this.return();
      throw this.#connection.error(error, `read ${this.#key}`, this.#signal);
    }
    return this.return();
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#done = true;
    const chunks = this.#chunks;
    this.#chunks = undefined;
    await chunks?.return?.();
    return { done: true, value: undefined };
  }

  async #gather(): Promise<Uint8Array | undefined> {
    const gathered: Uint8Array[] = [];
    let length = 0;
    while (length < PIECE && this.#position < this.#version.size) {
      const chunk = await this.#chunk();
      gathered.push(chunk);
      length += chunk.length;
      this.#position += chunk.length;
      if (this.#position > this.#version.size) throw this.#changed();
    }
    if (gathered.length === 0) return undefined;
    return gathered.length === 1 ? gathered[0] : Buffer.concat(gathered, length);
  }

  /** The next bytes, over as many connections as it takes. */
  async #chunk(): Promise<Uint8Array> {
    for (;;) {
      try {
        this.#chunks ??= await this.#continue();
        const next = await orAbort(this.#chunks.next(), this.#signal);
        if (!next.done) {
          this.#failures = 0;
          return next.value;
        }
        throw Object.assign(new Error("the answer ended early"), { code: "ERR_STREAM_PREMATURE_CLOSE" });
      } catch (error) {
        this.#chunks = undefined;
        this.#failures += 1;
        const again = isBroken(error) && !this.#signal?.aborted && this.#failures < this.#connection.limits.attempts;
        if (!again) throw error;
        await orAbort(sleep(FIRST_PAUSE_MS * 2 ** (this.#failures - 1)), this.#signal);
      }
    }
  }

  async #continue(): Promise<Chunks> {
    const { sdk, bucket } = this.#connection;
    const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: this.#key, Range: `bytes=${this.#position}-` });
    const { output } = await this.#connection.send(command, { signal: this.#signal, streaming: true });
    const chunks = chunksOf(output.Body);
    const { size, etag } = this.#version;
    const range = `bytes ${this.#position}-${size - 1}/${size}`;
    if (output.ETag === etag && output.ContentRange === range) return chunks;
    await chunks.return?.();
    throw this.#changed();
  }

  #changed(): ConvoyError {
    return new ConvoyError("STORE_FAILED", `${this.#key} in ${this.#connection.place.url} changed while it was read`, {
      hint: "Something else writes into the store; try again when it has finished.",
    });
  }
}

/** A connection that broke in the middle of a body. Node calls it "aborted" when the other side closes it. */
function isBroken(error: unknown): boolean {
  return isNetworkFailure(error) || (error instanceof Error && error.message === "aborted");
}
