import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../stores/store.ts";
import { parseBackupUrl } from "../stores/url.ts";
import { backUp, contextOf, type Fault, faulty, Place } from "./engine.fixture.ts";

const ROOT = "a".repeat(32);
/** More calls than any operation of these tests makes. */
const MANY = 60;

let place: Place;
beforeEach(async () => {
  // Hundreds of backups, each with its share of fsync: in memory where that is possible.
  place = await Place.make(existsSync("/dev/shm") ? "/dev/shm" : undefined);
});
afterEach(() => place.end());

/** Names of the volume's backups. Each must be complete: nothing is known against it, and all its objects are there. */
async function completeBackups(): Promise<string[]> {
  const listed = await place.engine().list({ url: place.url, endpoint: "", volume: "", snapshot: "" }, contextOf());
  const keys = await place.keys();
  for (const { name, problem } of listed) {
    expect(problem).toBeUndefined();
    expect(keys).toContain(`convoy-objectstore/volumes/vo/l1/vol1/BackupFiles/${name}.bak`);
  }
  return listed.map(({ name }) => name).sort();
}

const archives = async () => (await place.keys()).filter((key) => key.endsWith(".bak")).length;

interface Interference {
  wrap(store: Store): Store;
  /** False if the operation was done before the call in question. */
  happened(): boolean;
}

/** A store whose process dies at the n-th call: that call fails as said, and so does every later one. */
function dying(n: number, how: "fail before" | "fail after"): Interference {
  let calls = 0;
  const fault: Fault = () => {
    calls++;
    if (calls === n) return how;
    return calls > n ? "fail before" : undefined;
  };
  return { wrap: (store) => faulty(store, fault), happened: () => calls >= n };
}

/** A store of which a single call fails. */
function failing(n: number, how: "fail before" | "fail after"): Interference {
  let calls = 0;
  return { wrap: (store) => faulty(store, () => (++calls === n ? how : undefined)), happened: () => calls >= n };
}

const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(["fail before", "fail after"] as const)("when a call of the store %ss it is done", (how) => {
  test("a backup is complete or not there, and a failed one leaves nothing (every call in turn)", async () => {
    await backUp(place, place.engine({ root: ROOT }));
    const first = await completeBackups();
    for (let n = 1; n <= MANY; n++) {
      const fault = failing(n, how);
      const acknowledged = await errorOf(backUp(place, place.engine({ root: ROOT, wrap: fault.wrap })));
      if (!fault.happened()) {
        expect(n).toBeGreaterThan(10);
        return;
      }
      const now = await completeBackups();
      if (acknowledged !== undefined) {
        expect(acknowledged).toMatchObject({ code: "STORE_FAILED" });
        expect(now).toEqual(first);
      }
      for (const name of now.filter((name) => !first.includes(name))) {
        const url = `${place.url}?backup=${name}&volume=vol1`;
        await place.engine({ root: ROOT }).delete({ url, endpoint: "" }, contextOf());
      }
      expect(await archives()).toBe(1);
    }
    expect.unreachable("more calls than expected");
  });

  test("a crash leaves a complete backup or none, and the next backup by this root cleans up", async () => {
    for (let n = 1; n <= MANY; n++) {
      const crash = dying(n, how);
      const before = await completeBackups();
      const failure = await errorOf(backUp(place, place.engine({ root: ROOT, wrap: crash.wrap })));
      const after = await completeBackups();
      expect(after).toEqual(expect.arrayContaining(before));
      if (failure === undefined) expect(after).toHaveLength(before.length + 1);
      const { url } = await backUp(place, place.engine({ root: ROOT }));
      const healed = await completeBackups();
      expect(healed).toEqual([...after, parseBackupUrl(url).backup].sort());
      expect(await archives()).toBe(healed.length);
      expect((await place.keys()).filter((key) => key.includes("/locks/"))).toEqual([]);
      if (!crash.happened()) return;
      // One backup is enough to go on with.
      for (const name of healed.slice(1)) {
        const spare = `${place.url}?backup=${name}&volume=vol1`;
        await place.engine({ root: ROOT }).delete({ url: spare, endpoint: "" }, contextOf());
      }
    }
    expect.unreachable("more calls than expected");
  });

  test("R24: a crash in a deletion leaves the backup or no cfg, never a cfg without its archive", async () => {
    for (let n = 1; n <= MANY; n++) {
      await backUp(place, place.engine({ root: ROOT }));
      const { url } = await backUp(place, place.engine({ root: ROOT }));
      const { backup } = parseBackupUrl(url);
      const crash = dying(n, how);
      const failure = await errorOf(
        place.engine({ root: ROOT, wrap: crash.wrap }).delete({ url, endpoint: "" }, contextOf()),
      );
      const left = await completeBackups();
      if (failure === undefined) expect(left).not.toContain(backup);
      const again = await errorOf(place.engine({ root: ROOT }).delete({ url, endpoint: "" }, contextOf()));
      if (left.includes(backup)) expect(again).toBeUndefined();
      else expect(again).toMatchObject({ code: "BACKUP_NOT_FOUND" });
      expect(await completeBackups()).not.toContain(backup);
      expect(await archives()).toBe((await completeBackups()).length);
      if (!crash.happened()) return;
    }
    expect.unreachable("more calls than expected");
  });
});

test("another root is kept out while a dead one's work is unfinished, and is told by whom", async () => {
  // put of the lock, its listing, volume.cfg read and written, then the archive.
  const wrap = (store: Store) => {
    let dead = false;
    return faulty(store, (call, key) => {
      dead ||= call === "put" && key.endsWith(".bak");
      return dead ? "fail before" : undefined;
    });
  };
  await expect(backUp(place, place.engine({ root: ROOT, host: "gone", wrap }))).rejects.toMatchObject({
    code: "STORE_FAILED",
  });
  const other = backUp(place, place.engine({ root: "b".repeat(32) }));
  await expect(other).rejects.toMatchObject({ code: "STORE_LOCKED", message: expect.stringContaining("by host gone") });
  await backUp(place, place.engine({ root: ROOT }));
  await backUp(place, place.engine({ root: "b".repeat(32) }));
  expect(await completeBackups()).toHaveLength(2);
});
