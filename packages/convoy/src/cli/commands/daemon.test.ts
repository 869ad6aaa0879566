import { expect, test } from "vitest";
import { parseWords } from "../parse.ts";
import { daemon, daemonOptions } from "./daemon.ts";

const options = (...words: string[]) => daemonOptions("/run/c.sock", parseWords(words, daemon.flags));

test("without flags: the defaults of v0.5.2, and a log at level info", () => {
  expect(options()).toEqual({
    socket: "/run/c.sock",
    root: "/var/lib/rancher/convoy",
    logLevel: "info",
    logFormat: "text",
    drivers: [],
    driverOpts: [],
    mntNs: "",
    ignoreDockerDelete: false,
    createOnDockerMount: false,
    cmdTimeout: "",
    ignoreConfigFile: false,
    dockerScope: "local",
    dockerRemove: [],
    initStore: false,
    singleHost: false,
    given: [],
  });
});

test("every flag reaches the daemon", () => {
  const line =
    "--root /r --log /l --drivers vfs --drivers ebs --driver-opts vfs.path=/a=b --driver-opts k=v --mnt-ns /ns " +
    "--ignore-docker-delete --create-on-docker-mount --cmd-timeout 5m --ignore-config-file --socket-group docker " +
    "--log-level warn --log-format text --docker-scope global --docker-remove detach --docker-remove vfs=delete " +
    "--docker-spec /s.spec --init-store --single-host";
  expect(options(...line.split(" "))).toEqual({
    socket: "/run/c.sock",
    root: "/r",
    log: "/l",
    logLevel: "warn",
    logFormat: "text",
    drivers: ["vfs", "ebs"],
    driverOpts: ["vfs.path=/a=b", "k=v"],
    mntNs: "/ns",
    ignoreDockerDelete: true,
    createOnDockerMount: true,
    cmdTimeout: "5m",
    ignoreConfigFile: true,
    socketGroup: "docker",
    dockerScope: "global",
    dockerRemove: ["detach", "vfs=delete"],
    dockerSpec: "/s.spec",
    initStore: true,
    singleHost: true,
    given: daemon.flags
      .map(({ name }) => name)
      .filter((name) => name !== "debug" && line.includes(`--${name}`))
      .sort(byPlaceIn(line)),
  });
});

test("a log file is JSON unless something else is asked for", () => {
  expect(options("--log", "/l").logFormat).toBe("json");
  expect(options("--log", "/l", "--log-format", "text").logFormat).toBe("text");
  expect(options("--log-format", "json").logFormat).toBe("json");
});

test("--debug is short for the level, which wins", () => {
  expect(options("--debug").logLevel).toBe("debug");
  expect(options("--debug", "--log-level", "error").logLevel).toBe("error");
});

test("an empty root is handed on for the daemon to refuse", () => {
  expect(options("--root", "").root).toBe("");
});

function byPlaceIn(line: string): (a: string, b: string) => number {
  return (a, b) => line.indexOf(`--${a}`) - line.indexOf(`--${b}`);
}
