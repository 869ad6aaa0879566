import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { requireOrSkip } from "../../../../../test/lab/apt.ts";
import { type FaultProxy, faultProxy } from "../../../../../test/lab/proxy.ts";
import { type S3Lab, s3Lab } from "../../../../../test/lab/s3.ts";
import { isConvoyError } from "../../errors.ts";
import { silentLog } from "../../host/log.ts";
import { forgetful } from "../directory/memory.fixture.ts";
import { openStore } from "../open.ts";
import type { Store } from "../store.ts";
import { contentOf, keysOf } from "../store-contract.ts";
import { parseStoreUrl } from "../url.ts";
import type { S3Limits } from "./connection.ts";
import { openS3Store } from "./open.ts";

const KEY = "convoy-objectstore/volumes/vo/l1/vol1/volume.cfg";
const MIB = 1 << 20;
const LIMITS: S3Limits = { connectMs: 1500, idleMs: 1500, requestMs: 20_000, attempts: 4 };

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

describe.skipIf(await requireOrSkip("radosgw"))("S3 when things go wrong", () => {
  let lab: S3Lab;
  let bucket: string;
  let proxy: FaultProxy;
  let store: Store;
  const opened: Store[] = [];
  const environment = { ...process.env };

  async function open(options: { bucket?: string; endpoint?: string; region?: string } = {}): Promise<Store> {
    const region = options.region ?? `@${lab.region}`;
    const place = parseStoreUrl(`s3://${options.bucket ?? bucket}${region}/store/`);
    if (place.scheme !== "s3") throw new Error("not an S3 URL");
    const endpoint = options.endpoint ?? `http://127.0.0.1:${proxy.port}`;
    const made = await openS3Store(place, { endpoint, log: silentLog() }, LIMITS);
    opened.push(made);
    return made;
  }

  function everyCall(on: Store): [string, () => Promise<unknown>][] {
    return [
      ["stat", () => on.stat(KEY)],
      ["read", () => on.read(KEY, { maxBytes: 1000 })],
      ["get", () => on.get(KEY)],
      ["list", () => keysOf(on.list("convoy-objectstore"))],
      ["listDirectories", () => on.listDirectories("convoy-objectstore")],
      ["put", () => on.put(KEY, Buffer.from("x"))],
      ["delete", () => on.delete(KEY)],
      ["now", () => on.now()],
    ];
  }

  async function failureOf(call: () => Promise<unknown>): Promise<{ code: string; message: string; hint?: string }> {
    try {
      await call();
    } catch (error) {
      if (isConvoyError(error))
        return { code: error.code, message: error.message, ...(error.hint && { hint: error.hint }) };
      throw error;
    }
    throw new Error("it did not fail");
  }

  async function unfinishedUploads(): Promise<number> {
    const { endpoint, region, accessKeyId, secretAccessKey } = lab;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    try {
      return (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0;
    } finally {
      client.destroy();
    }
  }

  beforeAll(async () => {
    lab = await s3Lab();
    bucket = await lab.makeBucket();
    proxy = await faultProxy(lab.port);
  });

  afterAll(() => proxy?.close());

  beforeEach(async () => {
    Object.assign(process.env, lab.environment);
    await proxy.set({ kind: "pass" });
    store = await open();
    await store.put(KEY, Buffer.from("old"));
  });

  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    for (const name of Object.keys(process.env))
      if (name.startsWith("AWS_") || name === "HOME") delete process.env[name];
    Object.assign(process.env, environment);
  });

  test.each([
    ["nobody listens", { kind: "refuse" }, "ECONNREFUSED"],
    ["connections are reset", { kind: "reset" }, "ECONNRESET"],
    ["nothing is answered", { kind: "hang", afterBytes: 0 }, "TimeoutError"],
  ] as const)("D7 R19 %s: every call says unreachable, nothing is taken for absent", async (_, fault, reason) => {
    await proxy.set(fault);
    const failures = await Promise.all(
      everyCall(store).map(async ([name, call]) => [name, await failureOf(call)] as const),
    );
    for (const [name, failure] of failures) {
      expect(failure.code, name).toBe("UNREACHABLE");
      expect(failure.message, name).toContain(`http://127.0.0.1:${proxy.port} cannot be reached (${reason}`);
    }
    await proxy.set({ kind: "pass" });
    await store.put(KEY, Buffer.from("again"));
    expect(Buffer.from((await store.read(KEY, { maxBytes: 10 }))!).toString()).toBe("again");
  });

  test.each([
    [404, "<html>no such page</html>"],
    [404, ""],
    [403, ""],
    [400, "x"],
    [500, ""],
    [503, "<html>maintenance</html>"],
  ])("D7 R19 a HTTP %s that is no answer of S3 (%s) is a failure of every call", async (status, body) => {
    await proxy.set({ kind: "status", status, body });
    for (const [name, call] of everyCall(store)) {
      const failure = await failureOf(call);
      expect(failure.code, name).toBe("STORE_FAILED");
      expect(failure.message, name).toContain(`HTTP ${status}`);
      expect(failure.message, name).not.toContain("Unknown");
    }
  });

  test.each([
    ["resets", { kind: "reset" }],
    ["HTTP 500", { kind: "status", status: 500 }],
    ["HTTP 503", { kind: "status", status: 503 }],
    ["silence", { kind: "hang", afterBytes: 0 }],
  ] as const)("two times %s are tried again, and the put succeeds", async (_, fault) => {
    await proxy.set(fault, 2);
    await store.put(KEY, Buffer.from("new"));
    expect(Buffer.from((await store.read(KEY, { maxBytes: 10 }))!).toString()).toBe("new");
  });

  test("a body that is cut off again and again is read to its end, bit for bit", async () => {
    const data = randomBytes(20 * MIB + 5);
    await store.put("big", data);
    await proxy.set({ kind: "cut", afterBytes: 3 * MIB });
    const before = proxy.connections();
    const { body } = await store.get("big");
    expect(sha256(await contentOf(body))).toBe(sha256(data));
    expect(proxy.connections() - before).toBeGreaterThan(6);
  });

  test("a body that stops coming is asked for again", async () => {
    const data = randomBytes(5 * MIB);
    await store.put("big", data);
    await proxy.set({ kind: "hang", afterBytes: 2 * MIB }, 1);
    expect(sha256(await contentOf((await store.get("big")).body))).toBe(sha256(data));
  });

  test("a body that never gets further is a failure, not a short object", async () => {
    await store.put("big", randomBytes(5 * MIB));
    const { body } = await store.get("big");
    await proxy.set({ kind: "refuse" });
    expect((await failureOf(() => contentOf(body))).code).toBe("UNREACHABLE");
  });

  test("an object that is replaced while it is read is not mixed from two versions", async () => {
    await store.put("big", randomBytes(5 * MIB));
    await proxy.set({ kind: "cut", afterBytes: 2 * MIB }, 1);
    const { body } = await store.get("big");
    await store.put("big", randomBytes(5 * MIB));
    expect(await failureOf(() => contentOf(body))).toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringContaining("changed while it was read"),
    });
  });

  test("parts that fail are sent again; a lost answer to the last request does no harm", async () => {
    const data = randomBytes(40 * MIB);
    await proxy.set({ kind: "reset" }, 2);
    await store.put("big", data);
    await proxy.set({ kind: "lose-answer", request: /^POST \S*uploadId=/ });
    await store.put("big2", data);
    for (const key of ["big", "big2"]) {
      expect(sha256(await contentOf((await store.get(key)).body))).toBe(sha256(data));
    }
    expect(await unfinishedUploads()).toBe(0);
  });

  test("an upload that fails or is cancelled is taken back: no part of it remains", async () => {
    async function* body(end: () => void): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < 50; piece += 1) yield Buffer.alloc(MIB, piece);
      end();
      yield Buffer.alloc(1);
    }
    const broken = () => {
      throw new Error("snapshot unreadable");
    };
    await expect(store.put("unfinished", body(broken))).rejects.toThrow("snapshot unreadable");
    const controller = new AbortController();
    const cancelled = store.put(
      "unfinished",
      body(() => controller.abort()),
      { signal: controller.signal },
    );
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await unfinishedUploads()).toBe(0);
    expect(await store.stat("unfinished")).toBeUndefined();
  });

  test("R19 in a bucket that does not exist nothing is absent", async () => {
    const nowhere = await open({ bucket: "no-such-bucket" });
    for (const [name, call] of everyCall(nowhere)) {
      const failure = await failureOf(call);
      expect(failure.code, name).toBe("STORE_FAILED");
      expect(failure.message, name).toContain("NoSuchBucket");
      expect(failure.hint, name).toContain("bucket");
    }
  });

  test.each([
    ["a wrong secret", { AWS_SECRET_ACCESS_KEY: "wrong-Geheimnis" }, "SignatureDoesNotMatch"],
    [
      "an unknown key",
      { AWS_ACCESS_KEY_ID: "UNKNOWN", AWS_SECRET_ACCESS_KEY: "wrong-Geheimnis" },
      "InvalidAccessKeyId",
    ],
  ])("%s: the service's code and a hint, and no secret in what is thrown", async (_, wrong, code) => {
    Object.assign(process.env, wrong);
    const stranger = await open();
    for (const [name, call] of everyCall(stranger)) {
      let thrown: unknown;
      await call().catch((error: unknown) => {
        thrown = error;
      });
      expect(thrown, name).toMatchObject({ code: "STORE_FAILED", message: expect.stringContaining(code) });
      const everything = inspect(thrown, { depth: 20, showHidden: true });
      expect(everything, name).not.toContain("Geheimnis");
      expect(everything, name).not.toMatch(/Signature=|authorization/i);
    }
  });

  test("no credentials: it says where they are looked for", async () => {
    const home = mkdtempSync(join(tmpdir(), "convoy-home-"));
    try {
      process.env["HOME"] = home;
      delete process.env["AWS_ACCESS_KEY_ID"];
      delete process.env["AWS_SECRET_ACCESS_KEY"];
      const failure = await failureOf(async () => (await open()).stat(KEY));
      expect(failure.code).toBe("STORE_FAILED");
      expect(failure.message).toMatch(/^No AWS credentials for s3:\/\/[^ ]+ \(/);
      expect(failure.message).not.toContain(KEY);
      expect(failure.hint).toContain("AWS_ACCESS_KEY_ID");
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test("no region: v0.5.2's words, and what to write", async () => {
    delete process.env["AWS_REGION"];
    process.env["AWS_CONFIG_FILE"] = "/nonexistent";
    const failure = await failureOf(() => open({ region: "" }));
    expect(failure.message).toBe("AWS Error:  MissingRegion could not find region configuration <nil>");
    expect(failure.hint).toContain("AWS_REGION");
  });

  test("the names of v0.5.2's manuals work: AWS_ACCESS_KEY, AWS_SECRET_KEY, AWS_DEFAULT_REGION", async () => {
    for (const name of Object.keys(lab.environment)) delete process.env[name];
    process.env["AWS_ACCESS_KEY"] = lab.accessKeyId;
    process.env["AWS_SECRET_KEY"] = lab.secretAccessKey;
    process.env["AWS_DEFAULT_REGION"] = lab.region;
    const old = await open({ region: "" });
    expect(Buffer.from((await old.read(KEY, { maxBytes: 10 }))!).toString()).toBe("old");
    expect(old.url).toBe(`s3://${bucket}/store/`);
  });

  test.each(["ftp://127.0.0.1", "http://user:Geheimnis@127.0.0.1:9000", "http://", "::"])(
    "the endpoint %s is refused, and not repeated",
    async (endpoint) => {
      const options = { endpoint, memory: forgetful(), log: silentLog() };
      const failure = await failureOf(() => openStore(`s3://${bucket}@${lab.region}/store/`, options));
      expect(failure.code).toBe("INVALID_OPTION");
      expect(JSON.stringify(failure)).not.toContain("Geheimnis");
    },
  );
});
