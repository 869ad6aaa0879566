import { ConvoyClientError } from "./errors.ts";
import { type CallOptions, type Method, type RawAnswer, send } from "./transport.ts";
import type * as wire from "./wire/index.ts";
import { parseSize, SIZE_HELP } from "./wire/sizes.ts";

/** Where a daemon listens unless it is told otherwise. */
export const DEFAULT_SOCKET = "/var/run/convoy/convoy.sock";

/** Limits of the calls in milliseconds, unless `timeoutMs` says otherwise. */
const READING = 2 * 60_000;
const STORE_READING = 60 * 60_000;
/** Calls that move data: a first backup of a large volume takes hours. */
const WORKING = 24 * 60 * 60_000;

export interface ConvoyOptions {
  /** Limit for every call in milliseconds; 0: none. */
  timeoutMs?: number;
}

/** Called with an error, or with `null` and the result. */
export type Callback<T> = (error: ConvoyClientError | null, result?: T) => void;

/** Arguments of `volumeCreate`: `Size` also as text, `"40G"`. `Verbose` is set by the library. */
export type VolumeCreateArgs = Omit<wire.VolumeCreateRequest, "Size" | "Verbose"> & { Size?: number | string };
export type VolumeMountArgs = Omit<wire.VolumeMountRequest, "Verbose">;
export type SnapshotCreateArgs = Omit<wire.SnapshotCreateRequest, "Verbose">;
export type BackupCreateArgs = Omit<wire.BackupCreateRequest, "Verbose">;
export type VolumeMap = { [name: string]: wire.VolumeRecord };
export type DetachedVolumeMap = { [name: string]: wire.DetachedVolumeRecord };
export type BackupMap = { [url: string]: wire.BackupRecord };

/** A method that takes arguments: returns a promise, or calls `callback` when one is given as the last argument. */
export interface Call<A, R> {
  (args: A, options?: CallOptions): Promise<R>;
  (args: A, callback: Callback<R>): void;
  (args: A, options: CallOptions, callback: Callback<R>): void;
}

/** A method without arguments. */
export interface PlainCall<R> {
  (options?: CallOptions): Promise<R>;
  (callback: Callback<R>): void;
  (options: CallOptions, callback: Callback<R>): void;
}

/**
 * Client of a Convoy daemon. Every method returns a promise, or takes a callback `(error, result)` as its last
 * argument. Field names and results are those of the daemon's REST API.
 *
 *     const convoy = new Convoy();
 *     await convoy.volumeCreate({ Name: "vol1" });
 */
export class Convoy {
  readonly socketPath: string;
  readonly #timeoutMs: number | undefined;

  constructor(socketPath: string = DEFAULT_SOCKET, options: ConvoyOptions = {}) {
    this.socketPath = socketPath;
    this.#timeoutMs = options.timeoutMs;
  }

  /** The daemon's settings and those of its drivers. */
  readonly info: PlainCall<wire.InfoDocument> = this.#plainCall("GET", "/v1/info");
  /** All volumes, by name. */
  readonly volumes: PlainCall<VolumeMap> = this.#plainCall("GET", "/v1/volumes/list");
  /** The volumes that were removed reference-only and can be taken back, by name (since 0.6). */
  readonly volumesDetached: PlainCall<DetachedVolumeMap> = this.#plainCall("GET", "/v1/volumes/list?detached=1");
  /** Makes a volume, empty or from a backup, and answers its record. */
  readonly volumeCreate: Call<VolumeCreateArgs, wire.VolumeRecord> = this.#call(
    "POST",
    "/v1/volumes/create",
    WORKING,
    (args) => ({ ...args, ...sizeInBytes(args.Size), Verbose: true }),
  );
  readonly volumeInspect: Call<wire.VolumeRequest, wire.VolumeRecord> = this.#call("GET", "/v1/volumes/", READING);
  /** Deletes a volume with its data and snapshots; with `ReferenceOnly` the data stay and can be taken back. */
  readonly volumeDelete: Call<wire.VolumeDeleteRequest, void> = this.#call("DELETE", "/v1/volumes/", WORKING);
  /** Mounts a volume on the daemon's host; the answer has its `MountPoint`. Mounting twice is a success. */
  readonly volumeMount: Call<VolumeMountArgs, wire.VolumeRecord> = this.#call(
    "POST",
    "/v1/volumes/mount",
    WORKING,
    verbose,
  );
  readonly volumeUnmount: Call<wire.VolumeUmountRequest, void> = this.#call("POST", "/v1/volumes/umount", WORKING);
  /** Gives an unmounted volume another name (since 0.6). */
  readonly volumeRename: Call<wire.VolumeRenameRequest, void> = this.#call("POST", "/v1/volumes/rename", WORKING);
  readonly snapshotCreate: Call<SnapshotCreateArgs, wire.SnapshotRecord> = this.#call(
    "POST",
    "/v1/snapshots/create",
    WORKING,
    verbose,
  );
  readonly snapshotInspect: Call<wire.SnapshotRequest, wire.SnapshotRecord> = this.#call(
    "GET",
    "/v1/snapshots/",
    READING,
  );
  readonly snapshotDelete: Call<wire.SnapshotRequest, void> = this.#call("DELETE", "/v1/snapshots/", WORKING);
  /** Backs a snapshot up to `URL` and answers the URL of the backup. */
  readonly backupCreate: Call<BackupCreateArgs, { URL: string }> = this.#call(
    "POST",
    "/v1/backups/create",
    WORKING,
    verbose,
  );
  /** The backups in a store, by URL. */
  readonly backups: Call<wire.BackupListRequest, BackupMap> = this.#call("GET", "/v1/backups/list", STORE_READING);
  readonly backupInspect: Call<wire.BackupRequest, wire.BackupRecord> = this.#call(
    "GET",
    "/v1/backups/inspect",
    STORE_READING,
  );
  readonly backupDelete: Call<wire.BackupRequest, void> = this.#call("DELETE", "/v1/backups", WORKING);

  /**
   * Sends any request and gives the answer as it came, unparsed. The limit is that of a call that moves data.
   * @throws {ConvoyClientError}
   */
  request(method: Method, path: string, data?: unknown, options: CallOptions = {}): Promise<RawAnswer> {
    return send(this.socketPath, method, path, data, { timeoutMs: this.#timeoutMs ?? WORKING, ...options });
  }

  #call<A, R>(method: Method, path: string, limitMs: number, prepare: (args: A) => unknown = (args) => args) {
    return ((args: A, ...rest: [(CallOptions | Callback<R>)?, Callback<R>?]) => {
      const [options, callback] = optionsAndCallback(rest);
      return settle((async () => this.#answer<R>(method, path, prepare(args), limitMs, options))(), callback);
    }) as Call<A, R>;
  }

  #plainCall<R>(method: Method, path: string) {
    return ((...rest: [(CallOptions | Callback<R>)?, Callback<R>?]) => {
      const [options, callback] = optionsAndCallback(rest);
      return settle(this.#answer<R>(method, path, undefined, READING, options), callback);
    }) as PlainCall<R>;
  }

  async #answer<R>(method: Method, path: string, data: unknown, limitMs: number, options: CallOptions): Promise<R> {
    const answer = await this.request(method, path, data, { timeoutMs: this.#timeoutMs ?? limitMs, ...options });
    if (answer.body.length === 0) return undefined as R;
    try {
      return JSON.parse(answer.body.toString()) as R;
    } catch (cause) {
      throw new ConvoyClientError(`the answer of ${this.socketPath} to ${method} ${path} is not JSON`, {
        status: answer.status,
        code: "BAD_ANSWER",
        hint: "Check that the socket is that of a Convoy daemon.",
        cause,
      });
    }
  }
}

function verbose<A extends object>(args: A): A & { Verbose: true } {
  return { ...args, Verbose: true };
}

/** `Size` as the daemon wants it; nothing when it was left out. */
function sizeInBytes(size: number | string | undefined): { Size?: number } {
  if (size === undefined) return {};
  const bytes = parseSize(String(size));
  if (bytes === undefined) {
    throw new ConvoyClientError(`Size format not recognized: ${size}: must be a string like "40G"`, {
      code: "INVALID_SIZE",
      hint: `Allowed: a number of bytes, or ${SIZE_HELP}.`,
    });
  }
  return { Size: bytes };
}

function optionsAndCallback<R>(
  rest: [(CallOptions | Callback<R>)?, Callback<R>?],
): [CallOptions, Callback<R> | undefined] {
  const [first, second] = rest;
  return typeof first === "function" ? [{}, first] : [first ?? {}, second];
}

/** Hands the result to the callback, outside the promise, so that an exception in a callback is the program's own. */
function settle<R>(result: Promise<R>, callback: Callback<R> | undefined): Promise<R> | undefined {
  if (callback === undefined) return result;
  result.then(
    (value) => process.nextTick(callback, null, value),
    (error: ConvoyClientError) => process.nextTick(callback, error),
  );
  return undefined;
}
