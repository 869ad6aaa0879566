import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeVolumes } from "./testing/fake-volumes.ts";
import { RunningServer } from "./testing/running-server.ts";

let volumes: FakeVolumes;
let server: RunningServer;

beforeEach(async () => {
  volumes = new FakeVolumes();
  server = await RunningServer.start(volumes);
});
afterEach(() => server.stop());

describe("routing as in v0.5.2", () => {
  test.each(["/info", "/v1/info", "/v2/info", "/v1.0.3/info", "/info/"])("%s is the info document", async (path) => {
    expect((await server.call("GET", path)).body).toContain('"General"');
  });

  test.each([
    ["GET", "/v1/nosuch"],
    ["GET", "/"],
    ["GET", "/vx/info"],
    ["POST", "/v1/info"],
    ["PUT", "/v1/volumes/create"],
    ["GET", "/v1/volumes/vol1?x=1"],
    ["OPTIONS", "/v1/info"],
    ["POST", "/v1/VolumeDriver.List"],
    ["POST", "/v1/Plugin.Activate"],
    ["POST", "/VolumeDriver.Nosuch"],
    ["GET", "/VolumeDriver.List"],
  ])("%s %s is not found, by name", async (method, path) => {
    const answer = await server.call(method, path);
    expect(answer).toMatchObject({ status: 404, body: `Handler not found: ${method} ${path}` });
  });

  test("HEAD is not found and has no body", async () => {
    expect(await server.call("HEAD", "/v1/info")).toMatchObject({ status: 404, body: "" });
  });

  test("problem details tell a wrong method from an unknown path", async () => {
    const accept = { Accept: "application/problem+json" };
    const wrong = await server.call("POST", "/v1/info", undefined, accept);
    expect(wrong).toMatchObject({ status: 405, headers: { allow: "GET" } });
    expect(JSON.parse((await server.call("GET", "/v1/nosuch", undefined, accept)).body).code).toBe("NO_SUCH_ROUTE");
  });

  test.each([
    ["//v1/info", "/v1/info"],
    ["/v1//volumes/list?driver=1", "/v1/volumes/list?driver=1"],
    ["/v1/volumes/../info", "/v1/info"],
  ])("%s is redirected to its clean form", async (path, location) => {
    expect(await server.call("GET", path)).toMatchObject({ status: 301, headers: { location } });
  });

  test("a client of another API version is refused, other user agents are not asked", async () => {
    const refused = await server.call("GET", "/v1/info", undefined, { "User-Agent": "Convoy-Client/2" });
    expect(refused).toMatchObject({ status: 404, body: "client version 2 doesn't match with server 1\n" });
    for (const agent of ["Convoy-Client/1", "Convoy-Client/1/x", "Go-http-client/1.1"]) {
      expect((await server.call("GET", "/v1/info", undefined, { "User-Agent": agent })).status).toBe(200);
    }
  });
});

describe("transport", () => {
  const HOSTS = [
    "",
    "/var/run/convoy/convoy.sock",
    "unix:/var/run/convoy/convoy.sock:",
    "%2Frun%2Fconvoy.sock",
    "host",
  ];

  test.each(HOSTS)("Host '%s' is accepted", async (host) => {
    const answer = await server.raw(`GET /v1/info HTTP/1.1\nHost: ${host}\nConnection: close\n\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("HTTP/1.0 works", async () => {
    expect(await server.raw("GET /v1/info HTTP/1.0\n\n")).toMatch(/^HTTP\/1\.. 200 OK/);
  });

  test("HTTP/1.1 without Host is 400, as the protocol demands", async () => {
    expect(await server.raw("GET /v1/info HTTP/1.1\nConnection: close\n\n")).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("GET and DELETE carry bodies, also chunked ones, and requests may be pipelined", async () => {
    const chunked = 'Host:\nTransfer-Encoding: chunked\n\n10\n{"Name":"chnk1"}\n0\n\n';
    const get = 'Host:\nContent-Length: 22\nConnection: close\n\n{"VolumeName":"chnk1"}';
    const answer = await server.raw(
      `POST /v1/volumes/create HTTP/1.1\n${chunked}GET /v1/info HTTP/1.1\nHost:\n\nDELETE /v1/volumes/ HTTP/1.1\n${get}`,
    );
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
    expect(statuses).toEqual(["200", "200", "200"]);
    expect(answer).toContain("\r\n\r\nchnk1");
    expect(volumes.calls.at(-1)).toEqual(["delete", { name: "chnk1", reference: false }]);
  });

  test("what is not HTTP gets 400 and a closed connection, and the server lives on", async () => {
    expect(await server.raw("nonsense\n\n")).toMatch(/^HTTP\/1\.1 400 Bad Request/);
    expect((await server.call("GET", "/healthz")).body).toBe("ok");
  });

  test("a client that goes away in the middle of its request harms nobody", async () => {
    const { connect } = await import("node:net");
    const socket = connect(server.socket);
    await new Promise((resolve) =>
      socket.write("POST /v1/volumes/create HTTP/1.1\r\nHost:\r\nContent-Length: 99\r\n\r\n{", resolve),
    );
    socket.destroy();
    expect((await server.call("GET", "/healthz")).body).toBe("ok");
    expect(volumes.volumes.size).toBe(0);
  });
});

test("while stopping, running requests are finished and new ones refused", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const entered = new Promise<void>((resolve) => {
    const create = volumes.create.bind(volumes);
    volumes.create = async (request) => {
      resolve();
      await held;
      return create(request);
    };
  });
  const running = server.call("POST", "/volumes/create", { Name: "slow1" });
  await entered;
  server.server.stopAccepting();
  const drained = server.server.drain(10_000);
  await expect(server.call("GET", "/healthz")).rejects.toThrow(/ECONNREFUSED|ENOENT/);
  release();
  expect(await running).toMatchObject({ status: 200, body: "slow1" });
  expect(await drained).toBe(0);
});
