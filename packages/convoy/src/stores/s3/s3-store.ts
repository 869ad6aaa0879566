import type { ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import { ConvoyError } from "../../errors.ts";
import type { Body } from "../body.ts";
import { isKeyPart, keyParts } from "../key.ts";
import type { CallOptions, ObjectInfo, PutOptions, Store } from "../store.ts";
import type { Connection } from "./connection.ts";
import { type Download, download } from "./download.ts";
import { isNoSuchKey, statusOf } from "./errors.ts";
import { upload } from "./upload.ts";

/**
 * A store in an S3 bucket. Nothing is ever deleted by prefix; listings go through all pages. Uploads that a killed
 * daemon left unfinished are the bucket's: a lifecycle rule for incomplete multipart uploads removes them.
 */
export class S3Store implements Store {
  readonly kind = "s3";
  readonly url: string;
  readonly identity: string;
  readonly #connection: Connection;
  readonly #prefix: string;

  constructor(connection: Connection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.url = connection.place.url;
    this.identity = `s3:${connection.place.endpoint}/${connection.bucket}/${prefix}`;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<ObjectInfo> {
    const source = guarded(body);
    try {
      const { size, date } = await upload(this.#connection, this.#keyOf(key), source.body, {
        signal: options.signal,
        sizeHint: options.sizeHint,
      });
      return { key, size, modified: date ?? new Date() };
    } catch (error) {
      if (source.failed(error)) throw error;
      throw this.#error(error, `write ${key}`, options);
    }
  }

  async stat(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const { sdk, bucket } = this.#connection;
    const command = new sdk.HeadObjectCommand({ Bucket: bucket, Key: this.#keyOf(key) });
    try {
      const { output } = await this.#connection.send(command, { signal: options.signal });
      if (output.ContentLength !== undefined && output.LastModified !== undefined) {
        return { key, size: output.ContentLength, modified: output.LastModified };
      }
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined || status < 300 || status >= 500) throw this.#error(error, `read ${key}`, options);
    }
    // The answer to a HEAD has no body, so it does not tell a missing key from a missing bucket; that to a GET does.
    const found = await this.#open(key, options);
    await found?.body.return();
    return found?.info;
  }

  async read(key: string, options: CallOptions & { maxBytes: number }): Promise<Uint8Array | undefined> {
    const found = await this.#open(key, options);
    if (found === undefined) return undefined;
    const { info, body } = found;
    if (info.size > options.maxBytes) {
      await body.return();
      throw new ConvoyError("FORGED", `${key} has ${info.size} bytes, more than the ${options.maxBytes} allowed`, {
        hint: "It is not what Convoy wrote; find out who put it there.",
      });
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    return Buffer.concat(pieces, info.size);
  }

  async get(key: string, options: CallOptions = {}): Promise<{ info: ObjectInfo; body: AsyncIterable<Uint8Array> }> {
    const found = await this.#open(key, options);
    if (found !== undefined) return found;
    throw new ConvoyError("BACKUP_NOT_FOUND", `cannot find ${key} in objectstore`, {
      hint: `Look at what ${this.url} holds with \`convoy backup list\`.`,
    });
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo, void> {
    for await (const page of this.#pages(prefix, undefined, options)) {
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const key = this.#nameOf(Key ?? "");
        // Markers of "directories" and keys that no path can have are none of ours.
        if (key === undefined || !key.split("/").every(isKeyPart)) continue;
        if (Size === undefined || LastModified === undefined) throw this.#incomplete(prefix);
        yield { key, size: Size, modified: LastModified };
      }
    }
  }

  async listDirectories(prefix: string, options: CallOptions = {}): Promise<string[]> {
    const names: string[] = [];
    for await (const page of this.#pages(prefix, "/", options)) {
      for (const { Prefix } of page.CommonPrefixes ?? []) {
        const name = this.#nameOf(Prefix ?? "")?.slice(prefix.length + 1, -1);
        if (name !== undefined && isKeyPart(name)) names.push(name);
      }
    }
    return names;
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    const { sdk, bucket } = this.#connection;
    const command = new sdk.DeleteObjectCommand({ Bucket: bucket, Key: this.#keyOf(key) });
    try {
      await this.#connection.send(command, { signal: options.signal });
    } catch (error) {
      if (!isNoSuchKey(error)) throw this.#error(error, `delete ${key}`, options);
    }
  }

  async now(options: CallOptions = {}): Promise<Date> {
    const { sdk, bucket } = this.#connection;
    const command = new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: this.#prefix, MaxKeys: 1 });
    try {
      const { date } = await this.#connection.send(command, { signal: options.signal });
      if (date !== undefined) return date;
    } catch (error) {
      throw this.#error(error, "ask for the time", options);
    }
    throw new ConvoyError("STORE_FAILED", `${this.url}: the service's answers bear no date`, {
      hint: "A proxy before the service may remove the Date header.",
    });
  }

  /** A bucket cannot be mistaken for another one, as a mount point can: no marker is needed. */
  async prepareWrite(): Promise<void> {}

  async close(): Promise<void> {
    this.#connection.client.destroy();
  }

  /** @returns undefined if the service says that there is no such key */
  async #open(key: string, options: CallOptions): Promise<Download | undefined> {
    try {
      return await download(this.#connection, this.#keyOf(key), key, options.signal);
    } catch (error) {
      if (isNoSuchKey(error)) return undefined;
      throw this.#error(error, `read ${key}`, options);
    }
  }

  async *#pages(
    prefix: string,
    delimiter: "/" | undefined,
    options: CallOptions,
  ): AsyncGenerator<ListObjectsV2CommandOutput, void> {
    const { sdk, bucket } = this.#connection;
    const Prefix = `${this.#keyOf(prefix)}/`;
    let token: string | undefined;
    do {
      const command = new sdk.ListObjectsV2Command({
        Bucket: bucket,
        Prefix,
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      let page: ListObjectsV2CommandOutput;
      try {
        page = (await this.#connection.send(command, { signal: options.signal })).output;
      } catch (error) {
        throw this.#error(error, `list ${prefix}`, options);
      }
      yield page;
      const next = page.NextContinuationToken;
      if (page.IsTruncated && (!next || next === token)) throw this.#incomplete(prefix);
      token = page.IsTruncated ? next : undefined;
    } while (token !== undefined);
  }

  #incomplete(prefix: string): ConvoyError {
    return new ConvoyError("STORE_FAILED", `${this.url}: the service gave only a part of the listing of ${prefix}`, {
      hint: "The endpoint does not page listings as S3 does; nothing was decided on the part.",
    });
  }

  #keyOf(key: string): string {
    const clean = keyParts(key).join("/");
    return this.#prefix === "" ? clean : `${this.#prefix}/${clean}`;
  }

  #nameOf(key: string): string | undefined {
    if (this.#prefix === "") return key;
    return key.startsWith(`${this.#prefix}/`) ? key.slice(this.#prefix.length + 1) : undefined;
  }

  #error(error: unknown, action: string, options: CallOptions): Error {
    return this.#connection.error(error, `${action} in ${this.url}`, options.signal);
  }
}

/** Tells errors of a body, which pass unchanged, from those of the service. */
function guarded(body: Body): { body: Body; failed(error: unknown): boolean } {
  if (body instanceof Uint8Array) return { body, failed: () => false };
  const errors = new Set<unknown>();
  async function* watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    try {
      yield* source;
    } catch (error) {
      errors.add(error);
      throw error;
    }
  }
  return { body: watched(body), failed: (error) => errors.has(error) };
}
