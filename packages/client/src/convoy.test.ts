import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { FakeDaemon, type Handler } from "../test/fake-daemon.ts";
import { referenceDaemon } from "../test/reference-daemon.ts";
import { Convoy, ConvoyClientError } from "./index.ts";

let daemon: FakeDaemon | undefined;
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
});

async function connect(handler: Handler, options = {}): Promise<Convoy> {
  daemon = await FakeDaemon.start(handler);
  return new Convoy(daemon.socket, options);
}

async function failureOf(call: Promise<unknown>): Promise<ConvoyClientError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConvoyClientError);
  return error as ConvoyClientError;
}

test("every method walks the life of a volume and answers what the daemon answered", async () => {
  const convoy = await connect(referenceDaemon());
  expect((await convoy.info()).General.DefaultDriver).toBe("vfs");
  expect((await convoy.volumeCreate({ Name: "vol1" })).DriverInfo["Path"]).toBe("/srv/vfs/vol1");
  expect((await convoy.volumeMount({ VolumeName: "vol1" })).MountPoint).toBe("/srv/vfs/vol1");
  expect(await convoy.volumeUnmount({ VolumeName: "vol1" })).toBeUndefined();
  expect((await convoy.snapshotCreate({ VolumeName: "vol1", Name: "snap1" })).VolumeName).toBe("vol1");
  expect((await convoy.snapshotInspect({ SnapshotName: "snap1" })).Name).toBe("snap1");
  const { URL } = await convoy.backupCreate({ SnapshotName: "snap1", URL: "vfs:///b" });
  expect(Object.keys(await convoy.backups({ URL: "vfs:///b", VolumeName: "vol1" }))).toEqual([URL]);
  expect((await convoy.backupInspect({ URL })).SnapshotName).toBe("snap1");
  expect(await convoy.backupDelete({ URL })).toBeUndefined();
  expect(await convoy.backups({ URL: "vfs:///b" })).toEqual({});
  expect(await convoy.snapshotDelete({ SnapshotName: "snap1" })).toBeUndefined();
  await convoy.volumeRename({ VolumeName: "vol1", NewName: "vol2" });
  expect(Object.keys(await convoy.volumes())).toEqual(["vol2"]);
  expect((await convoy.volumeInspect({ VolumeName: "vol2" })).Name).toBe("vol2");
  await convoy.volumeDelete({ VolumeName: "vol2", ReferenceOnly: true });
  expect(await convoy.volumes()).toEqual({});
  expect((await convoy.volumesDetached())["vol2"]?.Path).toBe("/srv/vfs/vol1");
});

test("a callback as last argument gets the result, with and without options", async () => {
  const convoy = await connect(referenceDaemon());
  const made = await new Promise((resolve) =>
    convoy.volumeCreate({ Name: "vol1" }, (error, volume) => resolve([error, volume?.Name])),
  );
  expect(made).toEqual([null, "vol1"]);
  const listed = await new Promise((resolve) =>
    convoy.volumes({ timeoutMs: 5000 }, (error, volumes) => resolve([error, Object.keys(volumes ?? {})])),
  );
  expect(listed).toEqual([null, ["vol1"]]);
  const failed = await new Promise<ConvoyClientError | null>((resolve) =>
    convoy.volumeInspect({ VolumeName: "nosuch" }, (error) => resolve(error)),
  );
  expect(failed?.message).toBe("Volume not found.");
});

test("without a callback the promise is returned, with one nothing is", async () => {
  const convoy = await connect(referenceDaemon());
  expect(await convoy.volumes()).toEqual({});
  await new Promise<void>((resolve) => expect(convoy.info(() => resolve())).toBeUndefined());
});

test("requests carry a plain host, the client's version, and ask for problem documents", async () => {
  const convoy = await connect(referenceDaemon());
  await convoy.info();
  const headers = daemon?.requests[0]?.headers;
  expect(headers?.host).toBe("localhost");
  expect(headers?.["user-agent"]).toBe("Convoy-Client/1");
  expect(headers?.accept?.split(",")[0]).toBe("application/problem+json");
  expect(headers?.accept).not.toMatch(/^application\/json/);
});

test("Verbose goes with exactly the four calls that answer a bare word without it", async () => {
  const convoy = await connect(() => ({ body: "{}" }));
  const named = { Name: "xx", VolumeName: "xx", SnapshotName: "xx", URL: "vfs:///b" };
  await convoy.volumeCreate({ Name: "xx" });
  await convoy.volumeMount(named);
  await convoy.snapshotCreate(named);
  await convoy.backupCreate(named);
  await convoy.volumeInspect(named);
  await convoy.volumeUnmount(named);
  await convoy.volumeDelete(named);
  await convoy.snapshotInspect(named);
  await convoy.snapshotDelete(named);
  await convoy.backups(named);
  await convoy.backupInspect(named);
  await convoy.backupDelete(named);
  const verbose = daemon?.requests.filter(({ body }) => body.includes('"Verbose":true')).map(({ url }) => url);
  expect(verbose).toEqual(["/v1/volumes/create", "/v1/volumes/mount", "/v1/snapshots/create", "/v1/backups/create"]);
});

test.each([
  ["40G", 42949672960],
  ["512m", 536870912],
  ["1024", 1024],
  [1024, 1024],
  [undefined, undefined],
])("Size %s is sent as %s", async (given, sent) => {
  const convoy = await connect(() => ({ body: "{}" }));
  await convoy.volumeCreate({ Name: "vol1", ...(given === undefined ? {} : { Size: given }) });
  expect(JSON.parse(daemon?.requests[0]?.body ?? "").Size).toBe(sent);
});

test.each(["40GB", "1.5G", "-5", "abc", "99999999999T", -5, 1.5, Number.NaN])(
  "Size %s is refused before anything is sent",
  async (size) => {
    const convoy = await connect(() => ({ body: "{}" }));
    const error = await failureOf(convoy.volumeCreate({ Name: "vol1", Size: size }));
    expect(error.message).toContain('must be a string like "40G"');
    expect(error.message).toContain(String(size));
    expect(error.code).toBe("INVALID_SIZE");
    expect(daemon?.requests).toEqual([]);
  },
);

test("an error of a v0.5.2 daemon keeps its text and status", async () => {
  const convoy = await connect(referenceDaemon());
  await convoy.volumeCreate({ Name: "vol1" });
  const error = await failureOf(convoy.volumeCreate({ Name: "vol1" }));
  expect([error.message, error.status, error.code]).toEqual(["Volume vol1 already exists ", 400, "UNKNOWN"]);
});

test("a problem document gives message, status, code and hint", async () => {
  const convoy = await connect(referenceDaemon({ problems: true }));
  await convoy.volumeCreate({ Name: "vol1" });
  const error = await failureOf(convoy.volumeCreate({ Name: "vol1" }));
  expect([error.message, error.status, error.code]).toEqual(["Volume vol1 already exists ", 409, "VOLUME_EXISTS"]);
  expect(error.hint).toBe("Do this.");
});

test("an error whose text is JSON but no problem document stays text", async () => {
  const convoy = await connect(() => ({ status: 400, body: '{"a": "%s 100%"}\n' }));
  expect((await failureOf(convoy.info())).message).toBe('{"a": "%s 100%"}');
});

test("an error without a body has the text of its status", async () => {
  const convoy = await connect(() => ({ status: 404 }));
  const error = await failureOf(convoy.info());
  expect([error.message, error.status]).toEqual(["Not Found", 404]);
});

test("a redirection is an error", async () => {
  const convoy = await connect(() => ({ status: 301, body: "moved\n" }));
  expect((await failureOf(convoy.info())).status).toBe(301);
});

test("a socket that is not there", async () => {
  const error = await failureOf(new Convoy("/nosuch/convoy.sock").volumes());
  expect(error.message).toBe("no Convoy daemon answers at /nosuch/convoy.sock");
  expect([error.code, error.status]).toEqual(["NO_DAEMON", 0]);
  expect(error.hint).toContain("convoy daemon");
});

test("a socket that nobody listens on any more, as after a kill", async () => {
  daemon = await FakeDaemon.start(() => ({}));
  const { socket } = daemon;
  const stale = createServer().listen(`${socket}.stale`);
  await new Promise((resolve) => stale.once("listening", resolve));
  // Leave the file, close the descriptor: rename it away while the server removes its own name.
  const { renameSync } = await import("node:fs");
  renameSync(`${socket}.stale`, `${socket}.left`);
  await new Promise((resolve) => stale.close(resolve));
  expect((await failureOf(new Convoy(`${socket}.left`).info())).code).toBe("NO_DAEMON");
});

test("something else than a daemon answers", async () => {
  daemon = await FakeDaemon.start(() => ({}));
  const other = createServer((connection) => connection.resume().end("220 mail ready\r\n")).listen(
    `${daemon.socket}.other`,
  );
  await new Promise((resolve) => other.once("listening", resolve));
  expect((await failureOf(new Convoy(`${daemon.socket}.other`).info())).code).toBe("BAD_ANSWER");
  await new Promise((resolve) => other.close(resolve));
});

test("an answer that is not JSON", async () => {
  const convoy = await connect(() => ({ body: "hello" }));
  expect((await failureOf(convoy.volumes())).code).toBe("BAD_ANSWER");
});

test("a daemon that ends in the middle of its answer", async () => {
  // The server closes the connection behind the one byte that it has.
  const convoy = await connect(() => ({ headers: { "Content-Length": "1000" }, body: "{" }));
  expect((await failureOf(convoy.volumes())).code).toBe("CONNECTION_LOST");
});

test("a daemon that ends before it answers", async () => {
  const convoy = await connect(() => undefined);
  const failure = failureOf(convoy.volumes());
  while (daemon?.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await daemon?.stop();
  expect((await failure).code).toBe("CONNECTION_LOST");
});

test("a time limit, of the call or of the client", async () => {
  const convoy = await connect(() => undefined, { timeoutMs: 50 });
  const error = await failureOf(convoy.info());
  expect(error.code).toBe("TIMEOUT");
  expect(error.message).toContain("within 50 ms");
  expect((await failureOf(new Convoy(convoy.socketPath).volumes({ timeoutMs: 40 }))).message).toContain("40 ms");
});

test("an AbortSignal ends the call, before and during it", async () => {
  const convoy = await connect(() => undefined);
  const early = await failureOf(convoy.info({ signal: AbortSignal.abort("no need") }));
  expect([early.code, early.cause]).toEqual(["CANCELLED", "no need"]);
  expect(daemon?.requests).toEqual([]);
  const controller = new AbortController();
  const failure = failureOf(convoy.volumeInspect({ VolumeName: "vol1" }, { signal: controller.signal }));
  while (daemon?.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  expect((await failure).code).toBe("CANCELLED");
});

test("request gives the answer as it came, with the daemon's warnings", async () => {
  const convoy = await connect(() => ({
    headers: { Warning: ['299 convoy "first, with \\"quotes\\""', '299 convoy "second"'] },
    body: "vol1",
  }));
  const answer = await convoy.request("POST", "/v1/volumes/create", { Name: "vol1" });
  expect(answer.body.toString()).toBe("vol1");
  expect(answer.warnings).toEqual(['first, with "quotes"', "second"]);
});
