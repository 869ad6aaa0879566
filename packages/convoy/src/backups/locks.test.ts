import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../stores/store.ts";
import { parseBackupUrl } from "../stores/url.ts";
import { backUp, contextOf, faulty, Place, subjectOf } from "./engine.fixture.ts";
import type { LockPurpose } from "./lock-file.ts";
import { StoreLocks } from "./locks.ts";

const LOCKS = "convoy-objectstore/.convoy/locks/vol1";
const purpose: LockPurpose = { operation: "backup", volume: "vol1", backup: "backup-0123456789abcdef" };
const rootA = "a".repeat(32);
const rootB = "b".repeat(32);

let place: Place;
let store: Store;
beforeEach(async () => {
  place = await Place.make();
  store = await place.openStore();
});
afterEach(async () => {
  await store.close();
  await place.end();
});

const locksOf = (id: string) => new StoreLocks({ id, bootId: "boot", host: `host-of-${id[0]}` });
const nothing = async () => undefined;

describe("R23: an exclusive lock", () => {
  test("held by another root is refused with its host, since when, and what to do", async () => {
    const since = Date.now();
    const lock = await locksOf(rootA).acquire(store, purpose, nothing, contextOf());
    const error: unknown = await locksOf(rootB)
      .acquire(store, purpose, nothing, contextOf())
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "STORE_LOCKED",
      message: expect.stringMatching(/volume vol1 .* by host host-of-a \(backup of backup-0123456789abcdef\) since 20/),
      hint: expect.stringContaining(`${LOCKS}/${rootA}-`),
    });
    const said = /since (\S+)/.exec(String(error))![1]!;
    expect(Math.abs(new Date(said).getTime() - since)).toBeLessThan(60_000);
    await lock.release(new AbortController().signal);
    expect(await place.keys()).toEqual([]);
    await (await locksOf(rootB).acquire(store, purpose, nothing, contextOf())).release(new AbortController().signal);
  });

  test("of another volume is no hindrance", async () => {
    const lock = await locksOf(rootA).acquire(store, purpose, nothing, contextOf());
    await locksOf(rootB).acquire(store, { ...purpose, volume: "vol10" }, nothing, contextOf());
    await lock.check(new AbortController().signal);
  });

  test("is never held by two roots that come at once", async () => {
    let holders = 0;
    let most = 0;
    let held = 0;
    const contenders = Array.from({ length: 6 }, (_, index) => locksOf(String(index).repeat(32)));
    const work = async (locks: StoreLocks) => {
      for (let round = 0; round < 4; round++) {
        try {
          const lock = await locks.acquire(store, purpose, nothing, contextOf());
          most = Math.max(most, ++holders);
          held++;
          await lock.check(new AbortController().signal);
          holders--;
          await lock.release(new AbortController().signal);
        } catch (error) {
          expect(error).toMatchObject({ code: "STORE_LOCKED" });
        }
      }
    };
    await Promise.all(contenders.map(work));
    expect(most).toBe(1);
    expect(held).toBeGreaterThan(0);
    expect(await place.keys()).toEqual([]);
  });

  test("left by this root's dead process is taken over at once, and its work is ended first", async () => {
    const dead = await locksOf(rootA).acquire(store, purpose, nothing, contextOf());
    const left: LockPurpose[] = [];
    const locks = locksOf(rootA);
    expect(await locks.hasLeftovers(store, "vol1", new AbortController().signal)).toBe(true);
    const lock = await locks.acquire(
      store,
      { ...purpose, backup: "backup-fedcba9876543210" },
      async (found) => {
        left.push(found);
      },
      contextOf(),
    );
    expect(left).toMatchObject([purpose]);
    await lock.check(new AbortController().signal);
    await expect(dead.check(new AbortController().signal)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    expect(await place.keys()).toHaveLength(1);
  });

  test("of this very process is not taken over", async () => {
    const locks = locksOf(rootA);
    const lock = await locks.acquire(store, purpose, nothing, contextOf());
    await expect(locks.acquire(store, purpose, nothing, contextOf())).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await lock.check(new AbortController().signal);
  });

  test("that cannot be read counts as held, one of a later version too", async () => {
    await place.plant(`${LOCKS}/of-the-future.json`, "{}");
    await expect(locksOf(rootA).acquire(store, purpose, nothing, contextOf())).rejects.toMatchObject({
      code: "STORE_LOCKED",
    });
    expect(await place.keys()).toEqual([`${LOCKS}/of-the-future.json`]);
  });

  test("is not taken when the store cannot list", async () => {
    const blind = faulty(store, (call) => (call === "list" ? "fail before" : undefined));
    const acquiring = locksOf(rootA).acquire(blind, purpose, nothing, contextOf());
    await expect(acquiring).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await place.keys()).toEqual([]);
  });
});

describe("R23: a backup", () => {
  test("whose lock was removed meanwhile is not acknowledged and leaves nothing", async () => {
    const { keys } = { keys: () => place.keys() };
    const robbed = (moment: RegExp) =>
      place.engine({
        wrap: (inner) => ({
          ...faulty(inner, () => undefined),
          async put(key, body, options) {
            const result = await inner.put(key, body, options);
            if (!moment.test(key)) return result;
            for (const lock of (await keys()).filter((name) => name.includes("/locks/"))) await inner.delete(lock);
            return result;
          },
        }),
      });
    for (const moment of [/\.bak$/, /backup_.*\.cfg$/]) {
      await expect(backUp(place, robbed(moment))).rejects.toMatchObject({ code: "STORE_LOCKED" });
      expect((await place.keys()).filter((key) => !key.endsWith("volume.cfg"))).toEqual([]);
    }
  });

  test("and a deletion of two hosts exclude each other", async () => {
    const { url } = await backUp(place, place.engine({ root: rootA }));
    const lock = await locksOf(rootA).acquire(store, purpose, nothing, contextOf());
    const other = place.engine({ root: rootB });
    await expect(other.delete({ url, endpoint: "" }, contextOf())).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await expect(backUp(place, other)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await lock.release(new AbortController().signal);
    await backUp(place, other, { subject: subjectOf() });
    await other.delete({ url, endpoint: "" }, contextOf());
    const listed = await other.list({ url: place.url, endpoint: "", volume: "", snapshot: "" }, contextOf());
    expect(listed.map(({ name }) => name)).not.toContain(parseBackupUrl(url).backup);
    expect(listed).toHaveLength(1);
  });
});
