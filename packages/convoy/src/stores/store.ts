/**
 * A store is a place for objects: a directory or an S3 bucket with a prefix. Keys are relative paths with `/`, without
 * a leading slash, without empty, `.` or `..` parts; every caller builds them from validated names (R31).
 *
 * Rules that every store keeps (one contract-test suite, `store-contract.ts`, runs against each):
 * - `put` is atomic and durable: after it resolves the object is there whole, even after a power cut; before that the
 *   old object, or none, is there. It never removes the target first. A body that fails leaves nothing behind.
 * - Absent is not failed (R19): only a clear "not found" of that object counts as absent. A missing base directory or
 *   bucket, a refused permission or a network failure is a ConvoyError STORE_FAILED or UNREACHABLE.
 * - `delete` of an absent object is a success; it removes exactly that key, never a prefix.
 * - `list` gives every object below the prefix, however many, or fails; it never gives a part as if it were all.
 * - Links, FIFOs and devices below the base of a directory are never followed, read or written (R32).
 * - Every call takes an abort signal and has a time limit per request; failures that may pass are tried again.
 */
export interface ObjectInfo {
  key: string;
  /** Bytes. */
  size: number;
  /** By the store's own clock. */
  modified: Date;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface PutOptions extends CallOptions {
  /** Expected size in bytes of a streamed body, if known; S3 chooses its part size by it. */
  sizeHint?: number;
}

export interface Store {
  readonly kind: "directory" | "s3";
  /** The destination's URL as `list` and `inspect` print it (rebuilt, backup-format.md 9), without `?`. */
  readonly url: string;
  /** Key that orders locks and caches: equal for two URLs of the same place. */
  readonly identity: string;

  put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectInfo>;
  /** @returns undefined if, and only if, the store says that there is no such object. */
  stat(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /**
   * Reads a whole small object.
   * @returns undefined if absent. An object larger than `maxBytes` is a FORGED error.
   */
  read(key: string, options: CallOptions & { maxBytes: number }): Promise<Uint8Array | undefined>;
  /**
   * Streams an object in pieces of about 1 MiB, each valid only until the next is asked for. An absent object is a
   * BACKUP_NOT_FOUND error at once.
   */
  get(key: string, options?: CallOptions): Promise<{ info: ObjectInfo; body: AsyncIterable<Uint8Array> }>;
  /** All objects below `prefix` (a directory, without a slash at the end), in any order. None: an empty listing. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ObjectInfo>;
  /** Names of the direct sub-directories of `prefix`, in any order. */
  listDirectories(prefix: string, options?: CallOptions): Promise<string[]>;
  delete(key: string, options?: CallOptions): Promise<void>;
  /** The time by the store's own clock. */
  now(options?: CallOptions): Promise<Date>;
  /**
   * Called once before the first change of an operation: checks the marker of a directory store (R11), writes it if
   * the store has none yet, and refuses a store that is not the remembered one unless `init` says that it is meant.
   */
  prepareWrite(options: CallOptions & { init: boolean }): Promise<void>;
  /** Gives back handles and connections. */
  close(): Promise<void>;
}
