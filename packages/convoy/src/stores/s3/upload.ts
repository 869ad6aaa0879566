import { ConvoyError } from "../../errors.ts";
import { type Body, orAbort, pieces } from "../body.ts";
import { cancelled } from "../cancel.ts";
import type { Connection } from "./connection.ts";
import { isServiceCode } from "./errors.ts";
import { Part } from "./part.ts";

const MIB = 1 << 20;
/** The service's limit. */
const MAX_PARTS = 10_000;
/** Smallest part: below it objects are sent in one request. */
const MIN_PART = 8 * MIB;
/** Without a hint an object can have up to 10,000 x 16 MiB = 156 GiB. */
const DEFAULT_PART = 16 * MIB;
/** Parts on their way at a time; one more is being filled. So memory is three parts. */
const IN_FLIGHT = 2;
const ABORT_LIMIT_MS = 30_000;

export interface Uploaded {
  size: number;
  date: Date | undefined;
}

/** Size of parts for an object of about `sizeHint` bytes: never more than 10,000 of them, a twentieth to spare. */
export function partSize(sizeHint: number | undefined): number {
  if (sizeHint === undefined) return DEFAULT_PART;
  const needed = Math.ceil((sizeHint * 1.05) / MAX_PARTS / MIB) * MIB;
  return Math.max(MIN_PART, needed);
}

/** Sends an object whole: in one request if it fits into one part, otherwise as a multipart upload. */
export async function upload(
  connection: Connection,
  key: string,
  body: Body,
  options: { signal: AbortSignal | undefined; sizeHint: number | undefined },
): Promise<Uploaded> {
  const { signal, sizeHint } = options;
  const size = partSize(body instanceof Uint8Array ? body.length : sizeHint);
  const first = new Part(body instanceof Uint8Array ? Math.min(size, Math.max(1, body.length)) : size);
  let many: MultipartUpload | undefined;
  let current = first;
  try {
    for await (const piece of pieces(body, signal)) {
      for (let taken = 0; taken < piece.length; ) {
        if (current.full) {
          many ??= new MultipartUpload(connection, key, signal);
          current = await many.send(current, size);
        }
        taken += current.add(piece.subarray(taken));
      }
    }
    if (many === undefined) return await putWhole(connection, key, first, signal);
    return await many.complete(current);
  } catch (error) {
    await many?.abort();
    throw error;
  }
}

async function putWhole(
  connection: Connection,
  key: string,
  part: Part,
  signal: AbortSignal | undefined,
): Promise<Uploaded> {
  const { sdk, bucket } = connection;
  const { md5, sha256 } = part.digests();
  const command = new sdk.PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: part.data,
    ContentLength: part.data.length,
    ContentMD5: md5.toString("base64"),
  });
  const { output, date } = await connection.send(command, { signal, sha256 });
  const etag = output.ETag?.replaceAll('"', "");
  // The ETag is the MD5 of what was stored, unless the service encrypts with keys of its own.
  if (etag !== md5.toString("hex")) await verifySize(connection, key, part.data.length, etag, signal);
  return { size: part.data.length, date };
}

/**
 * Fails unless the object in the store has the size that was sent.
 * @param etag what the service answered; another one there now means that somebody has put the object again
 */
async function verifySize(
  connection: Connection,
  key: string,
  size: number,
  etag: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { sdk, bucket } = connection;
  const { output } = await connection.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }), { signal });
  if (output.ContentLength === size) return;
  if (etag && output.ETag !== undefined && output.ETag.replaceAll('"', "") !== etag) return;
  throw new ConvoyError(
    "STORE_FAILED",
    `${connection.place.url}: ${key} has ${output.ContentLength} bytes there instead of the ${size} sent`,
    { hint: "The service did not store what it acknowledged; do not trust it with backups." },
  );
}

class MultipartUpload {
  readonly #connection: Connection;
  readonly #target: { Bucket: string; Key: string };
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal;
  readonly #stopListening: () => void;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #parts: { PartNumber: number; ETag: string | undefined }[] = [];
  readonly #free: Part[] = [];
  #allocated = 1;
  #uploadId: string | undefined;
  #size = 0;
  #failure: { error: unknown } | undefined;

  constructor(connection: Connection, key: string, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#target = { Bucket: connection.bucket, Key: key };
    this.#signal = this.#controller.signal;
    const onAbort = () => this.#controller.abort(signal === undefined ? undefined : cancelled(signal));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#stopListening = () => signal?.removeEventListener("abort", onAbort);
  }

  /** Sends a full part in the background. @returns an empty part to go on with, as soon as there is one */
  async send(part: Part, size: number): Promise<Part> {
    await this.#start(part);
    if (this.#allocated <= IN_FLIGHT && this.#free.length === 0) {
      this.#allocated += 1;
      return new Part(size);
    }
    while (this.#free.length === 0) {
      await orAbort(Promise.race(this.#inFlight), this.#signal);
      this.#throwFailure();
    }
    const free = this.#free.pop()!;
    free.reset();
    return free;
  }

  async #start(part: Part): Promise<void> {
    this.#throwFailure();
    const { sdk } = this.#connection;
    if (this.#uploadId === undefined) {
      const command = new sdk.CreateMultipartUploadCommand(this.#target);
      this.#uploadId = (await this.#connection.send(command, { signal: this.#signal })).output.UploadId;
    }
    const number = this.#parts.length + 1;
    if (number > MAX_PARTS) {
      throw new ConvoyError("STORE_FAILED", `${this.#target.Key} is larger than S3 takes in ${MAX_PARTS} parts`, {
        hint: "The object's size was guessed too low; the upload has been taken back.",
      });
    }
    const entry: { PartNumber: number; ETag: string | undefined } = { PartNumber: number, ETag: undefined };
    this.#parts.push(entry);
    this.#size += part.data.length;
    const sending = this.#sendPart(part, entry)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#inFlight.delete(sending);
        this.#free.push(part);
      });
    this.#inFlight.add(sending);
  }

  async #sendPart(part: Part, entry: { PartNumber: number; ETag: string | undefined }): Promise<void> {
    const { md5, sha256 } = part.digests();
    const command = new this.#connection.sdk.UploadPartCommand({
      ...this.#target,
      UploadId: this.#uploadId,
      PartNumber: entry.PartNumber,
      Body: part.data,
      ContentLength: part.data.length,
      ContentMD5: md5.toString("base64"),
    });
    const { output } = await this.#connection.send(command, { signal: this.#signal, sha256 });
    entry.ETag = output.ETag;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Sends the last part and puts all together. */
  async complete(last: Part): Promise<Uploaded> {
    if (!last.empty) await this.#start(last);
    await orAbort(Promise.all(this.#inFlight), this.#signal);
    this.#throwFailure();
    const command = new this.#connection.sdk.CompleteMultipartUploadCommand({
      ...this.#target,
      UploadId: this.#uploadId,
      MultipartUpload: { Parts: this.#parts },
    });
    let date: Date | undefined;
    try {
      ({ date } = await this.#connection.send(command, { signal: this.#signal }));
    } catch (error) {
      // A repeated request finds the upload gone when the first answer was lost: the size tells whether it worked.
      if (!isServiceCode(error, "NoSuchUpload")) throw error;
    }
    await verifySize(this.#connection, this.#target.Key, this.#size, undefined, this.#signal);
    this.#stopListening();
    return { size: this.#size, date };
  }

  /** Takes everything back; the parts would be kept, and paid for, otherwise. */
  async abort(): Promise<void> {
    this.#stopListening();
    this.#controller.abort();
    await Promise.all(this.#inFlight);
    if (this.#uploadId === undefined) return;
    const command = new this.#connection.sdk.AbortMultipartUploadCommand({
      ...this.#target,
      UploadId: this.#uploadId,
    });
    try {
      await this.#connection.send(command, { signal: AbortSignal.timeout(ABORT_LIMIT_MS) });
    } catch (error) {
      const reason = this.#connection.error(error, `take back the upload of ${this.#target.Key}`, undefined).message;
      this.#connection.log.warn(
        { store: this.#connection.place.url, reason },
        "an unfinished upload remains in the store",
      );
    }
  }
}
