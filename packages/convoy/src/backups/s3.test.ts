import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip } from "../../../../test/lab/apt.ts";
import { s3Lab } from "../../../../test/lab/s3.ts";
import { silentLog } from "../host/log.ts";
import { newId } from "../host/root.ts";
import { forgetful } from "../stores/directory/memory.fixture.ts";
import { openStore } from "../stores/open.ts";
import { createBackupEngine } from "./create-engine.ts";
import { contextOf, Place, subjectOf } from "./engine.fixture.ts";
import { StoreLocks } from "./locks.ts";

describe.skipIf(await requireOrSkip("radosgw"))("the engine on S3 (Ceph radosgw)", () => {
  let place: Place;
  let url: string;
  let endpoint: string;
  beforeAll(async () => {
    place = await Place.make();
    const lab = await s3Lab();
    Object.assign(process.env, lab.environment);
    endpoint = lab.endpoint;
    url = `s3://${await lab.makeBucket()}@${lab.region}/backups/here`;
  });
  afterAll(() => place.end());

  const open = (at: string, service: string) =>
    openStore(at, { endpoint: service, memory: forgetful(), log: silentLog() });
  const engineOf = (root: string) =>
    createBackupEngine({ openStore: open, identity: { id: root, bootId: "boot", host: "here" }, log: silentLog() });

  test("backs up, lists, restores and deletes, and leaves nothing behind", async () => {
    const engine = engineOf(newId());
    const source = await place.archive("over the network");
    const request = { url, endpoint, initStore: false, source };
    const first = await engine.create({ ...request, subject: subjectOf("vol1") }, contextOf());
    const second = await engine.create({ ...request, subject: subjectOf("vol10") }, contextOf());
    expect(first.url).toMatch(/\/backups\/here\?backup=backup-[0-9a-f]{16}&volume=vol1$/);

    const listed = await engine.list({ url, endpoint, volume: "", snapshot: "" }, contextOf());
    expect(listed.map(({ volumeName, problem }) => [volumeName, problem])).toEqual(
      expect.arrayContaining([
        ["vol1", undefined],
        ["vol10", undefined],
      ]),
    );
    const restore = await engine.openRestore({ url: first.url, endpoint }, contextOf());
    const directory = await mkdtemp(join(place.path, "restored-"));
    await restore.fill({ kind: "tree", directory, reserveBytes: 0 }, contextOf());
    await restore.close();
    expect(await readFile(join(directory, "file"), "utf8")).toBe("over the network");

    await engine.delete({ url: first.url, endpoint }, contextOf());
    const left = await engine.list({ url, endpoint, volume: "", snapshot: "" }, contextOf());
    expect(left.map(({ volumeName }) => volumeName)).toEqual(["vol10"]);
    await engine.delete({ url: second.url, endpoint }, contextOf());
    const store = await open(url, endpoint);
    const keys: string[] = [];
    for await (const { key } of store.list("convoy-objectstore")) keys.push(key);
    await store.close();
    expect(keys.sort()).toEqual([
      "convoy-objectstore/volumes/vo/l1/vol1/volume.cfg",
      "convoy-objectstore/volumes/vo/l1/vol10/volume.cfg",
    ]);
  });

  test("R23: excludes another root while it works", async () => {
    const store = await open(url, endpoint);
    const locks = new StoreLocks({ id: newId(), bootId: "boot", host: "there" });
    const purpose = { operation: "backup" as const, volume: "vol2", backup: "backup-0123456789abcdef" };
    const lock = await locks.acquire(store, purpose, async () => undefined, contextOf());
    const engine = engineOf(newId());
    const request = { url, endpoint, initStore: false, source: await place.archive(), subject: subjectOf("vol2") };
    await expect(engine.create(request, contextOf())).rejects.toMatchObject({
      code: "STORE_LOCKED",
      message: expect.stringContaining("host there"),
    });
    await lock.release(new AbortController().signal);
    const { url: created } = await engine.create(request, contextOf());
    await engine.delete({ url: created, endpoint }, contextOf());
    await store.close();
  });

  test("R19: a missing bucket is a failure, not an empty store", async () => {
    const nowhere = url.replace("s3://", "s3://no-such-");
    const listing = engineOf(newId()).list({ url: nowhere, endpoint, volume: "", snapshot: "" }, contextOf());
    await expect(listing).rejects.toMatchObject({ code: expect.stringMatching(/STORE_FAILED|UNREACHABLE/) });
  });
});
