import { ConvoyError, errnoOf, isConvoyError, messageOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { type FileLock, lockFile } from "../../host/file-lock.ts";
import { goJson } from "../../host/go-json.ts";
import { KeyedMutex } from "../../host/keyed-mutex.ts";
import { type FileMark, sameMark, scanFiles } from "./scan.ts";

/** What every driver's volume record has. Unknown fields stay in the object and survive a rewrite (R1). */
export interface BaseRecord {
  Name: string;
  MountPoint: string;
  CreatedTime: string;
}

export type ListedRecord<R> = { name: string; record: R } | { name: string; problem: ConvoyError };

/** The largest record that is read, in bytes: about 10,000 snapshots. */
const MAX_RECORD = 4 << 20;
/** How long a record's lock is waited for. Its holders do a few small writes under it. */
const LOCK_WAIT_MS = 15_000;
/** A file or directory changed less than this long before it was read may change again unseen within one clock tick. */
const RACY_NS = 2_000_000_000n;

interface Cached<R> {
  mark: FileMark;
  /** False while the file was too young when it was read to tell a later change by its times. */
  settled: boolean;
  result: ListedRecord<R>;
}

/** From this many records on they are read in a thread. */
const SCAN_FROM = 200;

interface Listing<R> {
  mtimeNs: bigint;
  ino: bigint;
  settled: boolean;
  records: ListedRecord<R>[];
}

/**
 * The volume records of one driver: files `<driver>_volume_<name>.json` of one directory, in the format of Convoy
 * v0.5.2. Several hosts may use the directory at once, so every call gets it as a handle, nothing is trusted from
 * memory that the directory's times do not confirm, and changes happen under the original's lock files (R4).
 */
export class RecordFiles<R extends BaseRecord> {
  readonly #prefix: string;
  readonly #validate: (value: unknown) => string | undefined;
  readonly #mutex = new KeyedMutex();
  readonly #cache = new Map<string, Cached<R>>();
  #listing: Listing<R> | undefined;

  /** @param validate says what is wrong with a parsed record, or nothing. */
  constructor(driver: string, validate: (value: unknown) => string | undefined) {
    this.#prefix = `${driver}_volume_`;
    this.#validate = validate;
  }

  fileName(name: string): string {
    return `${this.#prefix}${name}.json`;
  }

  /** @returns undefined if there is none; throws RECORD_DAMAGED if it cannot be used. */
  async read(dir: Dir, name: string): Promise<R | undefined> {
    const text = await this.#readText(dir, name);
    return text === undefined ? undefined : this.#parse(dir, name, text);
  }

  async #readText(dir: Dir, name: string): Promise<string | undefined> {
    try {
      return await dir.readText(this.fileName(name), MAX_RECORD);
    } catch (error) {
      // A name longer than the file system allows cannot have a record.
      if (errnoOf(error) === "ENAMETOOLONG") return undefined;
      if (isConvoyError(error)) throw this.#damaged(dir, name, error.message, error);
      throw error;
    }
  }

  #parse(dir: Dir, name: string, text: string): R {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw this.#damaged(dir, name, text.trim() === "" ? "it is empty" : messageOf(cause), cause);
    }
    const wrong = this.#validate(value);
    if (wrong !== undefined) throw this.#damaged(dir, name, wrong);
    const record = value as R;
    if (record.Name !== name) {
      throw this.#damaged(dir, name, `it is of a volume called '${record.Name}'`);
    }
    return record;
  }

  #damaged(dir: Dir, name: string, reason: string, cause?: unknown): ConvoyError {
    return new ConvoyError(
      "RECORD_DAMAGED",
      `The record of volume ${name} (${dir.path}/${this.fileName(name)}) is damaged: ${reason}`,
      {
        cause,
        hint: "Its data is untouched. Put the record back from a backup of the directory, or move the file away and create the volume again to adopt its data.",
      },
    );
  }

  /** Every record, sorted by name; a damaged one as its problem (R2). Costs one stat while nothing changed. */
  async list(dir: Dir): Promise<ListedRecord<R>[]> {
    const now = BigInt(Date.now()) * 1_000_000n;
    const self = await dir.statSelf();
    const known = this.#listing;
    if (known?.settled && known.ino === self.ino && known.mtimeNs === self.mtimeNs) return known.records;
    const names = (await dir.list()).flatMap((file) => this.#nameOf(file)).sort();
    const kept = new Set(names);
    for (const name of this.#cache.keys()) if (!kept.has(name)) this.#cache.delete(name);
    const present =
      names.length > SCAN_FROM ? await this.#scan(dir, names, now) : await this.#readEach(dir, names, now);
    this.#listing = {
      ino: self.ino,
      mtimeNs: self.mtimeNs,
      settled: now - self.mtimeNs > RACY_NS,
      records: present,
    };
    return present;
  }

  async #readEach(dir: Dir, names: readonly string[], now: bigint): Promise<ListedRecord<R>[]> {
    const records = await Promise.all(names.map((name) => this.#readCached(dir, name, now)));
    return records.filter((record) => record !== undefined);
  }

  /** Reads what is new or changed in one go, in a thread. */
  async #scan(dir: Dir, names: readonly string[], now: bigint): Promise<ListedRecord<R>[]> {
    const known = names.map((name) => {
      const cached = this.#cache.get(name);
      return cached?.settled ? cached.mark : undefined;
    });
    const files = names.map((name) => this.fileName(name));
    for (const { file, mark, text, problem } of await scanFiles(dir, files, known, MAX_RECORD)) {
      const [name] = this.#nameOf(file);
      const read = () => {
        if (text === undefined) throw this.#damaged(dir, name!, problem ?? "it cannot be read");
        return this.#parse(dir, name!, text);
      };
      this.#keep(name!, mark, now, this.#listed(name!, read));
    }
    return names.flatMap((name) => this.#cache.get(name)?.result ?? []);
  }

  #listed(name: string, read: () => R): ListedRecord<R> {
    try {
      return { name, record: read() };
    } catch (error) {
      if (!isConvoyError(error, "RECORD_DAMAGED")) throw error;
      return { name, problem: error };
    }
  }

  #keep(name: string, mark: FileMark, now: bigint, result: ListedRecord<R>): void {
    this.#cache.set(name, { mark, settled: now - mark.ctimeNs > RACY_NS, result });
  }

  #nameOf(file: string): string[] {
    if (!file.startsWith(this.#prefix) || !file.endsWith(".json")) return [];
    return [file.slice(this.#prefix.length, -".json".length)];
  }

  async #readCached(dir: Dir, name: string, now: bigint): Promise<ListedRecord<R> | undefined> {
    const stats = await dir.stat(this.fileName(name));
    if (stats === undefined) return undefined;
    const cached = this.#cache.get(name);
    if (cached?.settled && sameMark(cached.mark, stats)) return cached.result;
    let result: ListedRecord<R>;
    try {
      const record = await this.read(dir, name);
      if (record === undefined) return undefined;
      result = { name, record };
    } catch (error) {
      if (!isConvoyError(error, "RECORD_DAMAGED")) throw error;
      result = { name, problem: error };
    }
    const { ino, mtimeNs, ctimeNs, size } = stats;
    this.#keep(name, { ino, mtimeNs, ctimeNs, size }, now, result);
    return result;
  }

  /** Writes a record that must not exist yet: of two hosts one wins (R1), the other gets VOLUME_EXISTS. */
  async create(dir: Dir, record: R): Promise<void> {
    try {
      await dir.createExclusive(this.fileName(record.Name), `${goJson(record)}\n`);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") throw volumeExists(record.Name, error);
      throw error;
    } finally {
      this.#listing = undefined;
    }
  }

  async write(dir: Dir, record: R): Promise<void> {
    await dir.write(this.fileName(record.Name), `${goJson(record)}\n`);
    this.#listing = undefined;
  }

  async remove(dir: Dir, name: string): Promise<void> {
    await dir.remove(this.fileName(name));
    this.#cache.delete(name);
    this.#listing = undefined;
  }

  /** Runs `work` while nobody else, in this process, another daemon or an original, changes the record. */
  locked<T>(dir: Dir, name: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(name, async () => {
      const lock = await this.#lock(dir, name);
      try {
        return await work();
      } finally {
        await lock.release();
      }
    });
  }

  async #lock(dir: Dir, name: string): Promise<FileLock> {
    const lock = await lockFile(dir, `${this.fileName(name)}.lock`, LOCK_WAIT_MS);
    if (lock !== undefined) return lock;
    throw new ConvoyError(
      "VOLUME_BUSY",
      `The record of volume ${name} is locked by another daemon on this host or share`,
      {
        hint: "Try again in a moment. If it stays, look for a daemon that hangs: fuser -v on the .lock file beside the record.",
      },
    );
  }
}

export function volumeExists(name: string, cause?: unknown): ConvoyError {
  // The blank at the end is Convoy v0.5.2's.
  return new ConvoyError("VOLUME_EXISTS", `Volume ${name} already exists `, {
    cause,
    hint: `Look at it with 'convoy inspect ${name}', or choose another name.`,
  });
}
