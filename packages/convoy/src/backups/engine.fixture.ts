import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ConvoyError } from "../errors.ts";
import { silentLog } from "../host/log.ts";
import type { OperationContext, Progress } from "../host/operation.ts";
import { newId } from "../host/root.ts";
import { forgetful } from "../stores/directory/memory.fixture.ts";
import { openStore } from "../stores/open.ts";
import type { ObjectInfo, Store } from "../stores/store.ts";
import { createBackupEngine } from "./create-engine.ts";
import type { BackupEngine } from "./engine.ts";
import type { ArchiveSource, BackupSubject } from "./source.ts";

export const FIXTURES = new URL("../../../../test/fixtures/convoy-v0.5-backups/", import.meta.url).pathname;

export function contextOf(signal = new AbortController().signal, seen: Progress[] = []): OperationContext {
  return { signal, log: silentLog(), progress: (progress) => seen.push(progress) };
}

export interface EngineSetUp {
  /** Id of the daemon's root; two set-ups with one id are one daemon before and after a restart. */
  root?: string;
  host?: string;
  /** Puts something between the engine and the store. */
  wrap?: (store: Store) => Store;
  protectedDirectories?: string[];
}

/** A store directory, engines on it and what they back up, all in one temporary directory. */
export class Place {
  readonly path: string;
  readonly url: string;
  readonly #memory = forgetful();

  private constructor(path: string) {
    this.path = path;
    this.url = `vfs://${path}/store/`;
  }

  static async make(parent = tmpdir()): Promise<Place> {
    const place = new Place(await mkdtemp(join(parent, "convoy-engine-")));
    await mkdir(join(place.path, "store"));
    return place;
  }

  /** A place whose store is a copy of what v0.5.2 wrote. */
  static async ofOriginal(): Promise<Place> {
    const place = await Place.make();
    await cp(join(FIXTURES, "vfs"), join(place.path, "store"), { recursive: true });
    return place;
  }

  openStore(): Promise<Store> {
    return openStore(this.url, { endpoint: "", memory: this.#memory, log: silentLog() });
  }

  engine({ root = newId(), host = "here", wrap = (store) => store, protectedDirectories = [] }: EngineSetUp = {}) {
    return createBackupEngine({
      openStore: async (url, endpoint) =>
        wrap(await openStore(url, { endpoint, memory: this.#memory, log: silentLog() })),
      identity: { id: root, bootId: "boot", host },
      log: silentLog(),
      protectedDirectories: async () => protectedDirectories,
    });
  }

  /** A finished archive with one file of this content. */
  async archive(content = "hello"): Promise<ArchiveSource> {
    const directory = await mkdtemp(join(this.path, "tree-"));
    const file = `${directory}.tar.gz`;
    await writeFile(join(directory, "file"), content);
    await promisify(execFile)("tar", ["czf", file, "-C", directory, "."]);
    return { kind: "archive", file, close: async () => undefined };
  }

  /** Keys of everything in the store but the marker. */
  async keys(): Promise<string[]> {
    const store = await this.openStore();
    try {
      const keys: string[] = [];
      for await (const { key } of store.list("convoy-objectstore")) keys.push(key);
      return keys.filter((key) => !key.endsWith("/marker.json")).sort();
    } finally {
      await store.close();
    }
  }

  /** Writes a file of the store without any check. */
  async plant(key: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.path, "store", key);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, content);
  }

  end(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

export function subjectOf(volume = "vol1", overrides: Partial<BackupSubject["volume"]> = {}): BackupSubject {
  return {
    volume: {
      name: volume,
      id: "11111111111111111111111111111111",
      driver: "vfs",
      size: 0,
      createdTime: "Fri Nov 20 06:52:25 +0000 2026",
      ...overrides,
    },
    snapshot: {
      name: "snap1",
      id: "22222222222222222222222222222222",
      createdTime: "Fri Nov 20 06:52:27 +0000 2026",
    },
  };
}

/** Backs up an archive with this content. @returns the backup's URL and warnings */
export async function backUp(
  place: Place,
  engine: BackupEngine,
  options: { subject?: BackupSubject; content?: string; context?: OperationContext } = {},
) {
  const source = await place.archive(options.content);
  return await engine.create(
    { url: place.url, endpoint: "", initStore: false, subject: options.subject ?? subjectOf(), source },
    options.context ?? contextOf(),
  );
}

export type Fault = (call: string, key: string) => "fail before" | "fail after" | undefined;

/** A store whose calls fail as `fault` says: before they do anything, or after they did it all. */
export function faulty(store: Store, fault: Fault): Store {
  const call = async <T>(name: string, key: string, work: () => Promise<T>): Promise<T> => {
    const when = fault(name, key);
    if (when === "fail before") throw new ConvoyError("STORE_FAILED", `${name} of ${key} failed`);
    const result = await work();
    if (when === "fail after") throw new ConvoyError("STORE_FAILED", `the answer to ${name} of ${key} was lost`);
    return result;
  };
  async function* listing(prefix: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<ObjectInfo> {
    yield* await call("list", prefix, async () => {
      const objects: ObjectInfo[] = [];
      for await (const object of store.list(prefix, options)) objects.push(object);
      return objects;
    });
  }
  return {
    kind: store.kind,
    url: store.url,
    identity: store.identity,
    put: (key, body, options) => call("put", key, () => store.put(key, body, options)),
    stat: (key, options) => call("stat", key, () => store.stat(key, options)),
    read: (key, options) => call("read", key, () => store.read(key, options)),
    get: (key, options) => call("get", key, () => store.get(key, options)),
    list: listing,
    listDirectories: (prefix, options) => call("listDirectories", prefix, () => store.listDirectories(prefix, options)),
    delete: (key, options) => call("delete", key, () => store.delete(key, options)),
    now: (options) => call("now", "", () => store.now(options)),
    prepareWrite: (options) => call("prepareWrite", "", () => store.prepareWrite(options)),
    close: () => store.close(),
  };
}
