import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requireOrSkip, skipFor } from "../../../../../test/lab/apt.ts";
import { silentLog } from "../../host/log.ts";
import type { MarkerMemory } from "../../host/root.ts";
import { openStore } from "../open.ts";
import type { Store } from "../store.ts";
import { keysOf } from "../store-contract.ts";
import { forgetful } from "./memory.fixture.ts";

const TEMPORARY = "convoy-objectstore/.convoy/tmp";
const CFG = "convoy-objectstore/volumes/vo/l1/vol1/volume.cfg";
const BACKUP = "convoy-objectstore/volumes/vo/l1/vol1/backups/backup_backup-15f155b2cc1b4211.cfg";
const FIXTURE = join(import.meta.dirname, "put-forever.fixture.ts");
const CHILD = ["--conditions=source", FIXTURE];

let base: string;
let opened: Store[];

async function open(path = base, memory: MarkerMemory = forgetful(), endpoint = ""): Promise<Store> {
  const store = await openStore(`vfs://${path}/`, { endpoint, memory, log: silentLog() });
  opened.push(store);
  return store;
}

async function textOf(store: Store, key: string): Promise<string | undefined> {
  const data = await store.read(key, { maxBytes: 10_000_000 });
  return data && Buffer.from(data).toString();
}

beforeEach(async () => {
  opened = [];
  base = await mkdtemp(join(tmpdir(), "convoy-store-"));
});

afterEach(async () => {
  for (const store of opened) await store.close();
  await rm(base, { recursive: true, force: true });
});

describe("the base directory", () => {
  test("is never made: a missing one is unreachable", async () => {
    const path = join(base, "nosuch");
    await expect(open(path)).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: `VFS path ${path} doesn't exist or is not a directory`,
    });
    expect(existsSync(path)).toBe(false);
  });

  test("must be a directory, and a FIFO in its place does not block", async () => {
    writeFileSync(join(base, "file"), "");
    execFileSync("mkfifo", [join(base, "fifo")]);
    for (const name of ["file", "fifo"]) {
      await expect(open(join(base, name))).rejects.toMatchObject({ code: "UNREACHABLE" });
    }
  });

  test("R19 that was removed meanwhile is a failure, nothing in it is absent", async () => {
    const path = join(base, "store");
    mkdirSync(path);
    const store = await open(path);
    await rm(path, { recursive: true });
    const failure = { code: "UNREACHABLE" };
    await expect(store.stat(CFG)).rejects.toMatchObject(failure);
    await expect(store.read(CFG, { maxBytes: 10 })).rejects.toMatchObject(failure);
    await expect(store.get(CFG)).rejects.toMatchObject(failure);
    await expect(keysOf(store.list("convoy-objectstore"))).rejects.toMatchObject(failure);
    await expect(store.delete(CFG)).rejects.toMatchObject(failure);
    await expect(store.put(CFG, Buffer.from("x"))).rejects.toThrow();
  });

  test("takes no endpoint", async () => {
    await expect(open(base, forgetful(), "http://127.0.0.1:9000")).rejects.toMatchObject({
      message: "Driver vfs does not support custom endpoints",
    });
  });

  test("reached by two URLs is one place", async () => {
    symlinkSync(base, `${base}-link`);
    try {
      expect((await open(`${base}-link`)).identity).toBe((await open(`${base}/../${base.split("/").at(-1)}`)).identity);
    } finally {
      await rm(`${base}-link`);
    }
  });
});

describe("writing", () => {
  test("R22 leaves nothing of ours inside volumes/, at no time", async () => {
    const store = await open();
    await store.put(CFG, Buffer.from("old"));
    const directory = join(base, "convoy-objectstore/volumes/vo/l1/vol1");
    const seen: string[][] = [];
    async function* watching(): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < 5; piece += 1) {
        yield Buffer.alloc(1 << 20, "n");
        seen.push(readdirSync(directory));
        expect(readFileSync(join(base, CFG), "utf8")).toBe("old");
      }
    }
    await store.put(CFG, watching());
    expect(seen).toEqual(Array.from({ length: 5 }, () => ["volume.cfg"]));
    expect(readdirSync(join(base, TEMPORARY))).toEqual([]);
  });

  test("directories are the owner's only, files are readable, as v0.5.2 made them", async () => {
    await (await open()).put(CFG, Buffer.from("x"));
    expect(lstatSync(join(base, "convoy-objectstore")).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(base, "convoy-objectstore/volumes/vo")).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(base, CFG)).mode & 0o777).toBe(0o644);
  });

  test("deleting removes the directories that it leaves empty, but not volumes/", async () => {
    const store = await open();
    await store.put(CFG, Buffer.from("x"));
    await store.put(BACKUP, Buffer.from("x"));
    await store.delete(BACKUP);
    expect(readdirSync(join(base, "convoy-objectstore/volumes/vo/l1/vol1"))).toEqual(["volume.cfg"]);
    await store.delete(CFG);
    expect(readdirSync(join(base, "convoy-objectstore/volumes"))).toEqual([]);
  });

  test("what interrupted writers left goes after a day, what is being written stays", async () => {
    const store = await open();
    await store.put(CFG, Buffer.from("x"));
    for (const [name, hours] of [
      ["1-old.tmp", 25],
      ["2-young.tmp", 23],
    ] as const) {
      writeFileSync(join(base, TEMPORARY, name), "half");
      const then = Date.now() / 1000 - hours * 3600;
      utimesSync(join(base, TEMPORARY, name), then, then);
    }
    await store.prepareWrite({ init: false });
    expect(readdirSync(join(base, TEMPORARY))).toEqual(["2-young.tmp"]);
  });

  test("D8 R1 a writer that is killed leaves the old object or the new one, never half and never none", async () => {
    const store = await open();
    for (let round = 0; round < 8; round += 1) {
      const child = spawn(process.execPath, [...CHILD, base, CFG, "1000000"], { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      await sleep(round * 7);
      child.kill("SIGKILL");
      await once(child, "exit");
      const content = (await textOf(store, CFG))!;
      expect(content.length).toBeGreaterThan(0);
      // One letter all over: the whole of one put.
      expect(content).toBe(content[0]!.repeat(content.length));
      expect(await keysOf(store.list("convoy-objectstore/volumes"))).toEqual([CFG]);
    }
  });
});

describe("R11 the marker", () => {
  test("is written with the first change, and the same disk is known again", async () => {
    const memory = forgetful();
    await (await open(base, memory)).prepareWrite({ init: false });
    expect(existsSync(join(base, "convoy-objectstore/.convoy/marker.json"))).toBe(true);
    await (await open(base, memory)).prepareWrite({ init: false });
  });

  test("a share that is not mounted, and another disk, are refused until they are said to be meant", async () => {
    const memory = forgetful();
    await (await open(base, memory)).prepareWrite({ init: false });
    await rm(join(base, "convoy-objectstore"), { recursive: true });
    const bare = await open(base, memory);
    await expect(bare.prepareWrite({ init: false })).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(readdirSync(base)).toEqual([]);
    await (await open(base, forgetful())).prepareWrite({ init: false });
    await expect(bare.prepareWrite({ init: false })).rejects.toMatchObject({ code: "MARKER_MISMATCH" });
    await bare.prepareWrite({ init: true });
    await bare.prepareWrite({ init: false });
  });
});

describe("R32 planted links and FIFOs", () => {
  let outside: string;

  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), "convoy-outside-"));
    writeFileSync(join(outside, "volume.cfg"), "precious");
  });

  afterEach(() => rm(outside, { recursive: true }));

  const forged = { code: "FORGED" };

  test("a link in place of an object is not read; a put replaces the link, not what it names", async () => {
    const store = await open();
    await store.put(BACKUP, Buffer.from("x"));
    symlinkSync(join(outside, "volume.cfg"), join(base, CFG));
    await expect(store.read(CFG, { maxBytes: 100 })).rejects.toMatchObject(forged);
    await expect(store.get(CFG)).rejects.toMatchObject(forged);
    await expect(store.stat(CFG)).rejects.toMatchObject(forged);
    expect(await keysOf(store.list("convoy-objectstore/volumes"))).toEqual([BACKUP]);
    await store.put(CFG, Buffer.from("new"));
    expect(await textOf(store, CFG)).toBe("new");
    expect(readFileSync(join(outside, "volume.cfg"), "utf8")).toBe("precious");
  });

  test("a link in place of a directory is not followed by any call", async () => {
    const store = await open();
    await store.put("convoy-objectstore/volumes/vo/l1/other/volume.cfg", Buffer.from("x"));
    symlinkSync(outside, join(base, "convoy-objectstore/volumes/vo/l1/vol1"));
    await expect(store.read(CFG, { maxBytes: 100 })).rejects.toMatchObject(forged);
    await expect(store.put(CFG, Buffer.from("new"))).rejects.toMatchObject(forged);
    await expect(store.put(BACKUP, Buffer.from("new"))).rejects.toMatchObject(forged);
    await expect(store.delete(CFG)).rejects.toMatchObject(forged);
    await expect(keysOf(store.list("convoy-objectstore/volumes/vo/l1/vol1"))).rejects.toMatchObject(forged);
    expect(await keysOf(store.list("convoy-objectstore/volumes"))).toEqual([
      "convoy-objectstore/volumes/vo/l1/other/volume.cfg",
    ]);
    expect(await store.listDirectories("convoy-objectstore/volumes/vo/l1")).toEqual(["other"]);
    expect(readdirSync(outside)).toEqual(["volume.cfg"]);
    expect(readFileSync(join(outside, "volume.cfg"), "utf8")).toBe("precious");
  });

  test("a link in place of the temporary directory takes nothing out of the store", async () => {
    mkdirSync(join(base, "convoy-objectstore/.convoy"), { recursive: true });
    symlinkSync(outside, join(base, TEMPORARY));
    await expect((await open()).put(CFG, Buffer.from("x"))).rejects.toMatchObject(forged);
    expect(readdirSync(outside)).toEqual(["volume.cfg"]);
  });

  test("FIFOs, devices and sockets in place of an object do not block", async () => {
    const store = await open();
    await store.put(BACKUP, Buffer.from("x"));
    execFileSync("mkfifo", [join(base, CFG)]);
    await expect(store.read(CFG, { maxBytes: 100 })).rejects.toMatchObject(forged);
    await expect(store.get(CFG)).rejects.toMatchObject(forged);
    expect(await keysOf(store.list("convoy-objectstore/volumes"))).toEqual([BACKUP]);
    await store.put(CFG, Buffer.from("new"));
    expect(await textOf(store, CFG)).toBe("new");
  });

  test("a directory in place of an object is neither read nor removed", async () => {
    const store = await open();
    await store.put(`${CFG}/inside`, Buffer.from("x"));
    await expect(store.read(CFG, { maxBytes: 100 })).rejects.toMatchObject(forged);
    await expect(store.delete(CFG)).rejects.toMatchObject(forged);
    expect(await textOf(store, `${CFG}/inside`)).toBe("x");
  });
});

const notRoot = process.getuid?.() === 0 ? undefined : "a full disk needs root, to mount a small tmpfs";

describe.skipIf(skipFor(notRoot))("a full disk", () => {
  test("is said to be full; the old object is kept and nothing half-written remains", async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "convoy-test", base]);
    try {
      const store = await open();
      await store.put(CFG, Buffer.from("old"));
      async function* large(): AsyncGenerator<Uint8Array> {
        for (let piece = 0; piece < 8; piece += 1) yield Buffer.alloc(1 << 20);
      }
      await expect(store.put(CFG, large())).rejects.toMatchObject({
        code: "NO_SPACE",
        message: `Cannot write ${base}/${CFG}: no space left on device (ENOSPC)`,
      });
      expect(await textOf(store, CFG)).toBe("old");
      expect(readdirSync(join(base, TEMPORARY))).toEqual([]);
      await store.put(CFG, Buffer.alloc(2 << 20));
    } finally {
      for (const store of opened.splice(0)) await store.close();
      execFileSync("umount", [base]);
    }
  });
});

describe.skipIf(await requireOrSkip("strace"))("R1 durability, as the kernel sees it", () => {
  test("data reach the disk before the name, the name and every new directory before the answer", async () => {
    const log = join(base, "..", `${base.split("/").at(-1)}.strace`);
    const calls = "trace=openat,mkdir,fsync,rename,close";
    execFileSync(
      "strace",
      ["-f", "-y", "-s", "300", "-o", log, "-e", calls, process.execPath, ...CHILD, base, CFG, "1"],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    const lines = readFileSync(log, "utf8").split("\n");
    await rm(log);
    const renamed = lines.findIndex((line) => line.includes("rename(") && line.includes("volume.cfg"));
    const synced = (path: string, from: number, to: number) =>
      lines.slice(from, to).some((line) => line.includes("fsync(") && line.includes(`<${path}>`));
    const fileSync = lines.findIndex((line) => /fsync\(\d+<[^>]*\.tmp>/.test(line));
    expect(fileSync).toBeGreaterThan(-1);
    expect(fileSync).toBeLessThan(renamed);
    const directories = CFG.split("/").slice(0, -1);
    for (let depth = 0; depth < directories.length; depth += 1) {
      const path = [base, ...directories.slice(0, depth)].join("/");
      expect(synced(path, 0, lines.length), `fsync of ${path}`).toBe(true);
    }
    expect(synced([base, ...directories].join("/"), renamed, lines.length)).toBe(true);
  });
});
