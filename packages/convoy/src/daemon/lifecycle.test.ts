import { chmod, lstat, mkdir, open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tryFlock } from "../host/sys.ts";
import { DaemonLab } from "./testing/daemon-process.ts";

let lab: DaemonLab;
beforeEach(async () => {
  lab = await DaemonLab.create();
});
afterEach(() => lab.close());

describe("start", () => {
  test("makes root and socket for their owner only, says ready, answers, and ends cleanly", async () => {
    const daemon = await lab.start();
    expect((await stat(lab.path("root"))).mode & 0o777).toBe(0o700);
    expect((await stat(lab.path("run"))).mode & 0o777).toBe(0o700);
    expect((await stat(lab.path("run/convoy.sock"))).mode & 0o777).toBe(0o600);
    expect((await daemon.call("POST", "/v1/volumes/create", { Name: "vol1" })).body).toBe("vol1");
    const info = JSON.parse((await daemon.call("GET", "/v1/info")).body);
    expect(info.General).toMatchObject({ Root: lab.path("root"), DriverList: ["vfs"], DefaultDriver: "vfs" });
    expect(await daemon.end("SIGTERM")).toBe(0);
    expect(daemon.stdout).toBe("");
    expect(await readdir(lab.path("run"))).toEqual([]);
    const again = await lab.start({ drivers: [], driverOpts: [], given: [] });
    expect((await again.call("GET", "/v1/volumes/", { VolumeName: "vol1" })).status).toBe(200);
    expect(await again.end("SIGINT")).toBe(0);
  });

  test.each([
    [{ root: "" }, "Have to specific root directory"],
    [{ socket: "" }, "Require unix domain socket location"],
    [{ socket: `/tmp/${"x".repeat(120)}` }, "107 are allowed"],
    [{ drivers: [] }, "Missing or invalid parameters: --drivers was not given"],
    [{ drivers: ["nosuch"] }, "Driver nosuch is not supported!"],
    [{ drivers: ["vfs,devicemapper"] }, "Driver vfs,devicemapper is not supported!"],
    [{ driverOpts: [] }, "VFS driver base path unspecified"],
    [{ driverOpts: ["vfs.path=relative"] }, "vfs.path is 'relative', but has to be an absolute path"],
    [{ driverOpts: ["vfs.path=/nosuch/a", "vfs.reserve=much"] }, "Illegal reserve specified"],
    [{ ignoreConfigFile: true, drivers: [] }, "Missing or invalid parameters: --drivers was not given"],
    [{ driverOpts: ["vfs.path"] }, "--driver-opts vfs.path is not of the form KEY=VALUE"],
    [{ mntNs: "/nosuch/ns" }, "Cannot find mount namespace fd /nosuch/ns"],
    [{ dockerRemove: ["vfs=burn"] }, "--docker-remove vfs=burn is not valid"],
    [{ socketGroup: "nosuch-group" }, "there is no group nosuch-group"],
    [{ log: "/nosuch/convoy.log" }, "Cannot open the log file /nosuch/convoy.log"],
  ])(
    "%j is refused: error object on stdout, reason and hint in the log, exit code 1, nothing made",
    async (overrides, message) => {
      const daemon = await lab.start(overrides);
      expect(daemon.exitCode).toBe(1);
      expect(daemon.error).toContain(message);
      expect(daemon.stderr).toContain(message);
      expect(await readdir(lab.directory)).toEqual([]);
    },
  );

  test("flags that were wrong leave nothing that the corrected start would find", async () => {
    const drivers = ["vfs", "nosuch"];
    const wrong = await lab.start({ drivers, driverOpts: [`vfs.path=${lab.path("wrong")}`] });
    expect(wrong.exitCode).toBe(1);
    expect(await readdir(lab.directory)).toEqual([]);
    const right = await lab.start({ driverOpts: [`vfs.path=${lab.path("right")}`] });
    expect(right.warnings).toEqual([]);
    expect(JSON.parse((await right.call("GET", "/info")).body).vfs.Path).toBe(lab.path("right"));
  });

  test("a vfs.path that cannot be made is not remembered", async () => {
    await writeFile(lab.path("file"), "");
    const wrong = await lab.start({ driverOpts: [`vfs.path=${lab.path("file/volumes")}`] });
    expect(wrong.exitCode).toBe(1);
    const right = await lab.start({ driverOpts: [`vfs.path=${lab.path("right")}`] });
    expect(JSON.parse((await right.call("GET", "/info")).body).vfs.Path).toBe(lab.path("right"));
  });

  test("flags without effect on vfs are named", async () => {
    const daemon = await lab.start({ cmdTimeout: "5m", mntNs: "", given: ["drivers", "cmd-timeout", "mnt-ns"] });
    expect(daemon.warnings).toEqual([
      "--cmd-timeout has no effect: the drivers in use (vfs) run no commands of the host",
      "--mnt-ns has no effect: the drivers in use (vfs) mount nothing",
    ]);
  });

  test("a driver named twice is started once; an unknown driver option is warned of", async () => {
    const driverOpts = [`vfs.path=${lab.path("volumes")}`, "vfs.nosuch=1"];
    const daemon = await lab.start({ drivers: ["vfs", "vfs"], driverOpts });
    expect(daemon.warnings).toEqual([
      "--drivers names a driver twice (vfs, vfs); once is enough",
      expect.stringContaining("--driver-opts vfs.nosuch is known to no driver"),
    ]);
    expect(JSON.parse((await daemon.call("GET", "/info")).body).General.DriverList).toEqual(["vfs"]);
  });

  test("DEFECT = inside an option value: the option is split at the first one", async () => {
    const daemon = await lab.start({ driverOpts: [`vfs.path=${lab.path("a=b")}`] });
    expect(JSON.parse((await daemon.call("GET", "/info")).body).vfs.Path).toBe(lab.path("a=b"));
  });

  test("a time limit that is none is named, and not complained of at the next start", async () => {
    const first = await lab.start({ cmdTimeout: "banana", given: ["drivers", "cmd-timeout"] });
    expect(first.warnings[0]).toContain("Invalid timeout value banana specified, default to one minute");
    await first.end("SIGTERM");
    const second = await lab.start({ given: [] });
    expect(second.warnings).toEqual([]);
  });
});

describe("saved configuration", () => {
  test("convoy.cfg is written as v0.5.2 writes it; what that program would drop lies elsewhere", async () => {
    const given = ["drivers", "docker-remove", "docker-scope"];
    const daemon = await lab.start({ cmdTimeout: "5m", dockerRemove: ["vfs=delete"], dockerScope: "global", given });
    expect(await readFile(lab.path("root/convoy.cfg"), "utf8")).toBe(
      `{"Root":"${lab.path("root")}","DriverList":["vfs"],"DefaultDriver":"vfs","MountNamespaceFD":"","IgnoreDockerDelete":false,"CreateOnDockerMount":false,"CmdTimeout":"5m"}\n`,
    );
    expect(JSON.parse(await readFile(lab.path("root/.convoy-daemon.json"), "utf8"))).toEqual({
      DockerScope: "global",
      DockerRemove: { vfs: "delete" },
    });
    await daemon.end("SIGTERM");
    const again = await lab.start({ given: [] });
    expect(JSON.parse((await again.call("POST", "/VolumeDriver.Capabilities")).body).Capabilities.Scope).toBe("global");
  });

  test("DEFECT options silently ignored: every flag that differs from what is saved is reported and has no effect", async () => {
    await (await lab.start()).end("SIGTERM");
    const daemon = await lab.start({
      drivers: ["nosuch"],
      driverOpts: [`vfs.path=${lab.path("other")}`],
      ignoreDockerDelete: true,
      createOnDockerMount: true,
      cmdTimeout: "5m",
      dockerScope: "global",
      dockerRemove: ["delete"],
      given: [
        "drivers",
        "ignore-docker-delete",
        "create-on-docker-mount",
        "cmd-timeout",
        "docker-scope",
        "docker-remove",
      ],
    });
    const told = daemon.warnings.join("\n");
    for (const flag of ["drivers", "ignore-docker-delete", "create-on-docker-mount", "cmd-timeout", "docker-scope"]) {
      expect(told).toContain(`--${flag} differs from what is saved`);
    }
    expect(told).toContain("--docker-remove differs from what is saved");
    expect(told).toContain(`driver option ignored: vfs.path: ${lab.path("volumes")} is saved`);
    expect(told).toContain(lab.path("root/vfs/vfs.cfg"));
    const info = JSON.parse((await daemon.call("GET", "/info")).body);
    expect(info.General).toMatchObject({ DriverList: ["vfs"], IgnoreDockerDelete: false, CmdTimeout: "" });
    expect(info.vfs.Path).toBe(lab.path("volumes"));
    await expect(stat(lab.path("other"))).rejects.toThrow("ENOENT");
  });

  test("--ignore-config-file takes the command line and saves it; unknown fields survive", async () => {
    await (await lab.start()).end("SIGTERM");
    const path = lab.path("root/convoy.cfg");
    await writeFile(path, (await readFile(path, "utf8")).replace("}", ',"Later":[1]}'));
    await (await lab.start({ ignoreConfigFile: true, ignoreDockerDelete: true, cmdTimeout: "1h30m" })).end("SIGTERM");
    const daemon = await lab.start({ given: [] });
    const { General } = JSON.parse((await daemon.call("GET", "/info")).body);
    expect(General).toMatchObject({ IgnoreDockerDelete: true, CmdTimeout: "1h30m" });
    expect(JSON.parse(await readFile(path, "utf8")).Later).toEqual([1]);
  });

  test.each(["", "{bad", "[]", '{"DriverList":"vfs"}', '{"IgnoreDockerDelete":"yes"}'])(
    "DEFECT damaged configuration: '%s' ends the start with an error that names the file, and is not touched",
    async (content) => {
      await mkdir(lab.path("root"));
      await writeFile(lab.path("root/convoy.cfg"), content);
      const daemon = await lab.start();
      expect(daemon.exitCode).toBe(1);
      expect(daemon.error).toContain(`The saved configuration ${lab.path("root/convoy.cfg")} is damaged`);
      expect(await readFile(lab.path("root/convoy.cfg"), "utf8")).toBe(content);
      const mended = await lab.start({ ignoreConfigFile: true });
      expect(mended.exitCode).toBeNull();
    },
  );

  test("DEFECT two daemons share a root: a copied root that names the old one is refused", async () => {
    await (await lab.start()).end("SIGTERM");
    await rename(lab.path("root"), lab.path("copy"));
    const daemon = await lab.start({ root: lab.path("copy") });
    expect(daemon.exitCode).toBe(1);
    expect(daemon.error).toContain(`belongs to the root ${lab.path("root")}`);
  });

  test("R8 take-over: reading the state of v0.5.2 rewrites none of its files", async () => {
    const config = `{"Root":"${lab.path("root")}","DriverList":["vfs","vfs"],"DefaultDriver":"vfs","MountNamespaceFD":"","IgnoreDockerDelete":false,"CreateOnDockerMount":false,"CmdTimeout":"30s"}\n`;
    const driver = `{"Root":"${lab.path("root/vfs")}","Path":"${lab.path("volumes")}","ConfigPath":"${lab.path("volumes/config")}","DefaultVolumeSize":107374182400}\n`;
    await mkdir(lab.path("root/vfs"), { recursive: true });
    await mkdir(lab.path("volumes/config"), { recursive: true });
    await writeFile(lab.path("root/convoy.cfg"), config);
    await writeFile(lab.path("root/vfs/vfs.cfg"), driver);
    const daemon = await lab.start({ drivers: [], driverOpts: [], given: [] });
    expect((await daemon.call("GET", "/v1/volumes/list")).body).toBe("{}");
    await daemon.end("SIGTERM");
    expect(await readFile(lab.path("root/convoy.cfg"), "utf8")).toBe(config);
    expect(await readFile(lab.path("root/vfs/vfs.cfg"), "utf8")).toBe(driver);
    expect(await readdir(lab.path("volumes"))).toEqual(["config"]);
  });
});

describe("R4 locks and sockets", () => {
  test("a second daemon on the same root is refused and harms nothing", async () => {
    const first = await lab.start();
    const second = await lab.start({ socket: lab.path("run2/convoy.sock") });
    expect(second.exitCode).toBe(1);
    expect(second.error).toContain(
      `Failed to lock the file at ${lab.path("root/lock")}: resource temporarily unavailable`,
    );
    expect(String(second.log.at(-2)?.["hint"])).toContain("fuser -v");
    expect((await first.call("GET", "/healthz")).body).toBe("ok");
  });

  test("DEFECT stolen socket: the socket of a running daemon is refused, and nothing is made", async () => {
    const first = await lab.start();
    const second = await lab.start({ root: lab.path("root2") });
    expect(second.exitCode).toBe(1);
    expect(second.error).toContain(`The socket ${lab.path("run/convoy.sock")} is already in use`);
    await expect(stat(lab.path("root2"))).rejects.toThrow("ENOENT");
    expect((await first.call("GET", "/healthz")).body).toBe("ok");
  });

  test("of two daemons that start at once for one socket exactly one gets it", async () => {
    const roots = ["a", "b", "c"].map((name) => lab.path(name));
    const daemons = await Promise.all(roots.map((root) => lab.start({ root })));
    expect(daemons.filter((daemon) => daemon.exitCode === null)).toHaveLength(1);
    for (const refused of daemons.filter((daemon) => daemon.exitCode !== null)) {
      expect(refused.error).toContain("is already in use");
    }
  });

  test("a running v0.5.2, which holds the same lock, shuts ours out", async () => {
    await mkdir(lab.path("root"));
    const lock = await open(lab.path("root/lock"), "w");
    expect(await tryFlock(lock.fd)).toBe(true);
    const daemon = await lab.start();
    expect(daemon.error).toContain("Failed to lock the file");
    await lock.close();
  });

  test("what a killed daemon leaves is taken over", async () => {
    const killed = await lab.start();
    expect(await killed.end("SIGKILL")).toBe("SIGKILL");
    expect((await lstat(lab.path("run/convoy.sock"))).isSocket()).toBe(true);
    const next = await lab.start();
    expect((await next.call("GET", "/healthz")).body).toBe("ok");
    expect(await readdir(lab.path("run"))).toEqual(["convoy.sock"]);
  });

  test("a file at the socket's path is not removed", async () => {
    await mkdir(lab.path("run"));
    await writeFile(lab.path("run/convoy.sock"), "precious");
    const daemon = await lab.start();
    expect(daemon.error).toContain("is there already and is not a socket");
    expect(await readFile(lab.path("run/convoy.sock"), "utf8")).toBe("precious");
  });

  test("a socket that took ours' place is not removed at the end", async () => {
    const daemon = await lab.start();
    await rename(lab.path("run/convoy.sock"), lab.path("run/old.sock"));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(lab.path("run/convoy.sock"), resolve));
    expect(await daemon.end("SIGTERM")).toBe(0);
    expect((await readdir(lab.path("run"))).sort()).toEqual(["convoy.sock", "old.sock"]);
    await new Promise((resolve) => other.close(resolve));
  });

  test("a directory that was there keeps its mode, and a long directory name is no obstacle to binding", async () => {
    const directory = lab.path("x".repeat(107 - lab.path("").length - "/s".length - 1));
    await mkdir(directory);
    await chmod(directory, 0o755);
    const daemon = await lab.start({ socket: `${directory}/s` });
    expect((await daemon.call("GET", "/healthz")).body).toBe("ok");
    expect((await stat(directory)).mode & 0o777).toBe(0o755);
  });

  test("R29 --socket-group: socket and its own directory are the group's, and nobody else's", async () => {
    await lab.start({ socketGroup: String(process.getegid?.()) });
    expect((await stat(lab.path("run"))).mode & 0o777).toBe(0o750);
    expect((await stat(lab.path("run/convoy.sock"))).mode & 0o777).toBe(0o660);
  });
});

describe("signals", () => {
  test("SIGTERM lets a running request finish; the next start finds what it did", async () => {
    const daemon = await lab.start();
    const creates = Array.from({ length: 20 }, (_, index) =>
      daemon.call("POST", "/v1/volumes/create", { Name: `vol${index}` }).then(
        (answer) => answer,
        () => ({ status: 0, body: "" }),
      ),
    );
    await Promise.race(creates);
    const code = daemon.end("SIGTERM");
    const acknowledged = (await Promise.all(creates)).filter(({ status }) => status === 200).map(({ body }) => body);
    expect(await code).toBe(0);
    const next = await lab.start();
    const present = Object.keys(JSON.parse((await next.call("GET", "/volumes/list")).body));
    expect(present).toEqual(expect.arrayContaining(acknowledged));
    expect(acknowledged.length).toBeGreaterThan(0);
  });

  test("a second signal ends the daemon at once, and the next start takes over", async () => {
    const daemon = await lab.start();
    const half = connect(lab.path("run/convoy.sock"));
    half.on("error", () => undefined);
    await new Promise((resolve) => {
      half.write("POST /v1/volumes/create HTTP/1.1\r\nHost:\r\nContent-Length: 9\r\n\r\n{", resolve);
    });
    await daemon.call("GET", "/healthz");
    daemon.kill("SIGTERM");
    await expect.poll(() => daemon.stderr).toContain("shutting down");
    expect(await daemon.end("SIGTERM")).toBe(1);
    half.destroy();
    expect((await lab.start()).exitCode).toBeNull();
  });

  test("SIGHUP opens the log file anew", async () => {
    const daemon = await lab.start({ log: lab.path("convoy.log") });
    await rename(lab.path("convoy.log"), lab.path("convoy.log.1"));
    daemon.kill("SIGHUP");
    await expect.poll(() => readFile(lab.path("convoy.log"), "utf8").catch(() => "")).toContain("log file opened anew");
    await daemon.end("SIGTERM");
    expect(await readFile(lab.path("convoy.log"), "utf8")).toContain("ended");
    expect(daemon.stderr).toBe("");
  });
});

describe("log", () => {
  test("text on standard error, fields and levels as asked", async () => {
    const daemon = await lab.start({ logFormat: "text", logLevel: "debug" });
    await daemon.call("GET", "/v1/info");
    await daemon.end("SIGTERM");
    expect(daemon.stderr).toMatch(/^\[[\d-]+T[\d:.]+ \+\d{4}\] INFO: ready /m);
    expect(daemon.stderr).toMatch(/DEBUG: request .*"path":"\/v1\/info","status":200/);
  });

  test("a failed operation is logged once, with what it was about, and shares the request's id", async () => {
    const daemon = await lab.start({ logLevel: "debug" });
    await daemon.call("POST", "/v1/volumes/create", { Name: "vol1" });
    await daemon.call("POST", "/v1/volumes/mount", { VolumeName: "vol1" });
    const failing: [string, string, object][] = [
      ["DELETE", "/v1/volumes/", { VolumeName: "vol1" }],
      ["DELETE", "/v1/volumes/", { VolumeName: "nosuch" }],
      ["POST", "/v1/snapshots/create", { VolumeName: "nosuch", Name: "snap1" }],
      ["POST", "/v1/volumes/create", { Name: "vol2", BackupURL: "vfs:///nosuch?backup=backup-1&volume=vol1" }],
      ["POST", "/VolumeDriver.Remove", { Name: "vol1" }],
      ["POST", "/VolumeDriver.Mount", { Name: "nosuch", ID: "a" }],
    ];
    for (const [method, path, body] of failing) await daemon.call(method, path, body);
    await daemon.end("SIGTERM");
    const failures = daemon.log.filter((line) => "code" in line);
    expect(failures).toMatchObject([
      { operation: "delete", driver: "vfs", volume: "vol1", code: "VOLUME_MOUNTED", level: 30 },
      { operation: "delete", volume: "nosuch", code: "VOLUME_NOT_FOUND", level: 30 },
      { operation: "snapshot", volume: "nosuch", snapshot: "snap1", code: "VOLUME_NOT_FOUND", level: 30 },
      { operation: "restore", driver: "vfs", volume: "vol2", code: "UNREACHABLE", level: 40 },
      { operation: "detach", driver: "vfs", volume: "vol1", code: "VOLUME_MOUNTED", level: 30 },
      { operation: "mount", driver: "vfs", volume: "nosuch", code: "VOLUME_NOT_FOUND", level: 30 },
    ]);
    const requests = daemon.log.filter((line) => line["msg"] === "request").map((line) => line["request"]);
    expect(requests).toEqual(expect.arrayContaining(failures.map((line) => line["request"])));
    const done = daemon.log.find((line) => line["msg"] === "create done");
    expect(requests).toContain(done?.["request"]);
    for (const line of daemon.stderr.split("\n")) expect(line.split('"request":').length).toBeLessThanOrEqual(2);
  });

  test("secrets of the environment and of URLs are never in it", async () => {
    const daemon = await lab.start(
      { logLevel: "trace" },
      { AWS_ACCESS_KEY_ID: "AKIAHIDDEN", AWS_SECRET_ACCESS_KEY: "s3cr3t-key", AWS_SESSION_TOKEN: "s3cr3t-token" },
    );
    const Endpoint = "http://user:s3cr3t-word@127.0.0.1:9";
    await daemon.call("GET", "/v1/backups/list", { URL: "s3://bucket@eu-central-1/path", Endpoint });
    await daemon.end("SIGTERM");
    expect(daemon.stderr).not.toMatch(/s3cr3t|AKIAHIDDEN/);
  });

  test("a log that cannot be written does not end the daemon", async () => {
    const daemon = await lab.start({ log: "/dev/full" });
    expect((await daemon.call("GET", "/healthz")).body).toBe("ok");
    expect(await daemon.end("SIGTERM")).toBe(0);
  });
});

test("R30 the plugin's spec file is written once the socket listens, and stays at the end", async () => {
  const spec = lab.path("plugins/convoy.spec");
  const daemon = await lab.start({ dockerSpec: spec });
  expect(await readFile(spec, "utf8")).toBe(`unix://${lab.path("run/convoy.sock")}\n`);
  await daemon.end("SIGTERM");
  expect(await readFile(spec, "utf8")).toContain("unix://");
});
