import { readlink } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import type { Logger } from "../../host/log.ts";
import { verifyMarker } from "../../host/marker.ts";
import type { MarkerMemory } from "../../host/root.ts";
import type { Body } from "../body.ts";
import { throwIfAborted } from "../cancel.ts";
import { keyParts } from "../key.ts";
import type { CallOptions, ObjectInfo, PutOptions, Store } from "../store.ts";
import { openBase } from "./base.ts";
import { type Chain, Chains, removeEmpty } from "./chain.ts";
import { baseMissing, directoryError } from "./errors.ts";
import { FileBody } from "./read.ts";
import { openTemporary, removeAbandoned } from "./temporary.ts";
import { walk } from "./walk.ts";
import { writeBody } from "./write.ts";

/** Everything of Convoy lies below this directory of the base; the name is part of the format. */
const TOP = "convoy-objectstore";
const MARKER_PLACE = [TOP, ".convoy"] as const;
/** How often a put makes its directories anew because a concurrent delete found them empty. */
const PUT_ATTEMPTS = 100;

export interface DirectoryStoreOptions {
  /** Absolute path of the base directory. */
  path: string;
  /** As `list` and `inspect` print it. */
  url: string;
  memory: MarkerMemory;
  log: Logger;
}

/**
 * A store in a directory. The base is opened once, so that all calls of one store object see the same directory even
 * if something is mounted over its path meanwhile (R11); nothing below it is reached through a link (R32).
 */
export class DirectoryStore implements Store {
  readonly kind = "directory";
  readonly url: string;
  readonly identity: string;
  readonly #base: Dir;
  readonly #chains: Chains;
  readonly #path: string;
  readonly #memory: MarkerMemory;
  readonly #log: Logger;
  readonly #bodies = new Set<FileBody>();

  private constructor(base: Dir, realPath: string, options: DirectoryStoreOptions) {
    this.#base = base;
    this.#chains = new Chains(base);
    this.#path = options.path;
    this.#memory = options.memory;
    this.#log = options.log;
    this.url = options.url;
    this.identity = `directory:${realPath}`;
  }

  /**
   * Opens the base directory; it is never made.
   * @throws UNREACHABLE if it is not there or does not answer in time
   */
  static async open(options: DirectoryStoreOptions): Promise<DirectoryStore> {
    const base = await openBase(options.path);
    try {
      return new DirectoryStore(base, await readlink(base.handlePath), options);
    } catch (error) {
      await base.close();
      throw directoryError(error, "open", options.path);
    }
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<ObjectInfo> {
    const parts = keyParts(key);
    const failed = (error: unknown) => directoryError(error, "write", this.#pathOf(key));
    throwIfAborted(options.signal);
    const temporary = await openTemporary(this.#chains).catch((error) => {
      throw failed(error);
    });
    try {
      const size = await writeBody(temporary.handle, body, failed, options.signal);
      throwIfAborted(options.signal);
      try {
        await temporary.handle.sync();
        const written = await temporary.handle.stat();
        if (written.size !== size) {
          throw new ConvoyError(
            "STORE_FAILED",
            `${this.#pathOf(key)} has ${written.size} bytes instead of the ${size} written`,
          );
        }
        await this.#publish(temporary.moveTo, parts);
        return { key, size, modified: written.mtime };
      } catch (error) {
        throw failed(error);
      }
    } finally {
      await temporary.end();
    }
  }

  async #publish(moveTo: (target: Dir, name: string) => Promise<void>, parts: string[]): Promise<void> {
    const name = parts.at(-1)!;
    for (let attempt = 1; ; attempt += 1) {
      let chain: Chain | undefined;
      try {
        chain = await this.#chains.make(parts.slice(0, -1));
        await moveTo(chain.parent, name);
        return;
      } catch (error) {
        if (errnoOf(error) !== "ENOENT" || attempt === PUT_ATTEMPTS) throw error;
        await this.#refuseMissingBase();
      } finally {
        await chain?.close();
      }
    }
  }

  async stat(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#inParent(key, "read", options.signal, async ({ parent }, name) => {
      const stats = await parent.stat(name);
      if (stats === undefined) return undefined;
      if (!stats.isFile()) throw this.#notRegular(key);
      return { key, size: Number(stats.size), modified: new Date(Number(stats.mtimeMs)) };
    });
  }

  async read(key: string, options: CallOptions & { maxBytes: number }): Promise<Uint8Array | undefined> {
    return this.#inParent(key, "read", options.signal, ({ parent }, name) => parent.read(name, options.maxBytes));
  }

  async get(key: string, options: CallOptions = {}): Promise<{ info: ObjectInfo; body: AsyncIterable<Uint8Array> }> {
    const opened = await this.#inParent(key, "read", options.signal, async ({ parent }, name) => {
      let handle: Awaited<ReturnType<Dir["openFile"]>>;
      try {
        handle = await parent.openFile(name);
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return undefined;
        throw error;
      }
      try {
        const stats = await handle.stat();
        return { handle, info: { key, size: stats.size, modified: stats.mtime } };
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
    if (opened === undefined) {
      throw new ConvoyError("BACKUP_NOT_FOUND", `cannot find ${key} in objectstore`, {
        hint: `Look at what ${this.url} holds with \`convoy backup list\`.`,
      });
    }
    const { handle, info } = opened;
    const file = { path: this.#pathOf(key), size: info.size };
    const body = new FileBody(handle, file, options.signal, (done) => this.#bodies.delete(done));
    this.#bodies.add(body);
    return { info, body };
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo, void> {
    const chain = await this.#open(keyParts(prefix), "list", prefix, options.signal);
    if (chain === undefined) return;
    try {
      yield* walk(chain.parent, prefix, options.signal);
    } finally {
      await chain.close();
    }
  }

  async listDirectories(prefix: string, options: CallOptions = {}): Promise<string[]> {
    const chain = await this.#open(keyParts(prefix), "list", prefix, options.signal);
    if (chain === undefined) return [];
    try {
      const entries = await chain.parent.listTypes();
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    } catch (error) {
      throw directoryError(error, "list", this.#pathOf(prefix));
    } finally {
      await chain.close();
    }
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    await this.#inParent(key, "delete", options.signal, async (chain, name) => {
      const stats = await chain.parent.stat(name);
      if (stats === undefined) return undefined;
      if (stats.isDirectory()) throw this.#notRegular(key);
      await chain.parent.remove(name);
      await removeEmpty(chain);
      return undefined;
    });
  }

  async now(options: CallOptions = {}): Promise<Date> {
    throwIfAborted(options.signal);
    try {
      const probe = await openTemporary(this.#chains);
      try {
        // A share's server sets the time when the data reaches it.
        await probe.handle.write("x");
        await probe.handle.sync();
        return (await probe.handle.stat()).mtime;
      } finally {
        await probe.end();
      }
    } catch (error) {
      throw directoryError(error, "write", this.#path);
    }
  }

  async prepareWrite(options: CallOptions & { init: boolean }): Promise<void> {
    throwIfAborted(options.signal);
    try {
      await verifyMarker(this.#base, {
        place: this.#pathOf(TOP),
        directory: MARKER_PLACE,
        memory: this.#memory,
        mode: "write",
        init: options.init,
        initFlag: "--init-store",
      });
      const removed = await removeAbandoned(this.#chains, await this.now(options));
      if (removed > 0) this.#log.info({ store: this.url, removed }, "removed files that interrupted writers left");
    } catch (error) {
      throw directoryError(error, "prepare", this.#path);
    }
  }

  async close(): Promise<void> {
    for (const body of this.#bodies) await body.return();
    await this.#base.close();
  }

  /** Runs `act` with the object's parent directory open; undefined if that does not exist. */
  async #inParent<T>(
    key: string,
    action: string,
    signal: AbortSignal | undefined,
    act: (chain: Chain, name: string) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const parts = keyParts(key);
    const chain = await this.#open(parts.slice(0, -1), action, key, signal);
    if (chain === undefined) return undefined;
    try {
      const result = await act(chain, parts.at(-1)!);
      if (result === undefined) await this.#refuseMissingBase();
      return result;
    } catch (error) {
      throw directoryError(error, action, this.#pathOf(key));
    } finally {
      await chain.close();
    }
  }

  async #open(
    names: readonly string[],
    action: string,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<Chain | undefined> {
    throwIfAborted(signal);
    try {
      const chain = await this.#chains.open(names);
      if (chain === undefined) await this.#refuseMissingBase();
      return chain;
    } catch (error) {
      throw directoryError(error, action, this.#pathOf(key));
    }
  }

  /** Nothing is absent in a base that was itself removed (R19). */
  async #refuseMissingBase(): Promise<void> {
    if ((await this.#base.statSelf()).nlink === 0n) throw baseMissing(this.#path);
  }

  #pathOf(key: string): string {
    return `${this.#path === "/" ? "" : this.#path}/${key}`;
  }

  #notRegular(key: string): ConvoyError {
    return new ConvoyError("FORGED", `${this.#pathOf(key)} is not a regular file`, {
      hint: "Links, FIFOs and devices are not read in a store; find out who put it there and remove it.",
    });
  }
}
