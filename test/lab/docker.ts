import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram, need } from "./apt.ts";
import type { Daemon } from "./daemon.ts";
import type { Namespace } from "./namespace.ts";
import { endChild, type RunOptions, type RunResult, run, runRaw, succeed, until } from "./run.ts";
import type { Scratch } from "./scratch.ts";
import { mountsBelow } from "./sweep.ts";

/** Programs that containers of the tests may call. */
const APPLETS = ["sh", "ls", "cat", "echo", "touch", "sleep", "id", "stat", "dd", "sync", "mount", "mkdir", "rm"];
const IMAGE = "convoy-lab:1";

/** Whether a private Docker Engine can be started. @returns undefined or the reason why not. */
export async function needDocker(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root can start a Docker Engine";
  return need("docker", "busybox");
}

/**
 * A Docker Engine of the tests' own, beside any that runs: own socket, data and containerd, no network. Its one image
 * holds busybox.
 */
export class Engine {
  readonly directory: string;
  readonly #host: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.#host = `unix://${directory}/docker.sock`;
  }

  /** Starts an engine, in a mount namespace if given, that ends with its containers when `scratch` gives back. */
  static async start(scratch: Scratch, namespace?: Namespace): Promise<Engine> {
    const directory = await scratch.directory("docker");
    const engine = new Engine(directory);
    await writeFile(join(directory, "daemon.json"), "{}");
    const log = openSync(join(directory, "dockerd.log"), "a");
    const dockerd = findProgram("dockerd") ?? "dockerd";
    const args = [
      ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
      ...["--host", engine.#host, "--pidfile", join(directory, "docker.pid")],
      ...["--config-file", join(directory, "daemon.json")],
      ...["--bridge=none", "--iptables=false", "--ip-masq=false"],
    ];
    const [program, ...rest] =
      namespace === undefined ? [dockerd, ...args] : ["nsenter", ...namespace.enter(dockerd, ...args)];
    const child = spawn(program!, rest, { stdio: ["ignore", log, log] });
    closeSync(log);
    child.once("error", () => undefined);
    scratch.defer(async () => {
      await engine.#removeContainers();
      await endChild(child, "SIGTERM", 30_000);
      for (const mounted of mountsBelow(directory)) await run("umount", ["-l", mounted]);
    });
    await until("the Docker Engine to answer", async () => {
      if (child.exitCode !== null) throw new Error(`dockerd ended:\n${await engine.log()}`);
      return (await engine.try(["version"], { timeoutMs: 5000 }).catch(() => undefined))?.code === 0;
    });
    await engine.#importImage();
    return engine;
  }

  log(): Promise<string> {
    return readFile(join(this.directory, "dockerd.log"), "utf8");
  }

  async #importImage(): Promise<void> {
    const tree = join(this.directory, "image");
    await mkdir(join(tree, "bin"), { recursive: true });
    await mkdir(join(tree, "tmp"));
    await copyFile(findProgram("busybox") ?? "/bin/busybox", join(tree, "bin/busybox"));
    await chmod(join(tree, "bin/busybox"), 0o755);
    for (const applet of APPLETS) await symlink("busybox", join(tree, "bin", applet));
    const { stdout } = await runRaw("tar", ["-C", tree, "-c", "."]);
    await this.docker(["import", "-", IMAGE], { input: stdout });
  }

  async #removeContainers(): Promise<void> {
    const listed = await this.try(["ps", "-aq"]).catch(() => undefined);
    const ids = (listed?.stdout ?? "").split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.try(["rm", "-f", ...ids]).catch(() => undefined);
  }

  /** Runs a docker command, whatever comes of it. */
  try(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run("docker", args, { ...options, env: { ...options.env, ...this.env() } });
  }

  /** Runs a docker command that has to succeed. @returns stdout without the newline at its end. */
  async docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const text = await succeed("docker", args, { ...options, env: { ...options.env, ...this.env() } });
    return text.replace(/\n$/, "");
  }

  /** Environment that makes `docker` speak to this engine. */
  env(): Record<string, string | undefined> {
    return { DOCKER_HOST: this.#host, DOCKER_CONTEXT: undefined, DOCKER_CONFIG: join(this.directory, "config") };
  }

  /** Runs a shell line in a new container with the given options of `docker run`. @returns its stdout. */
  run(options: readonly string[], line: string): Promise<string> {
    return this.docker(["run", "--rm", "--network", "none", ...options, IMAGE, "/bin/sh", "-c", line]);
  }

  /** Starts a container that stays until it is removed. @returns its id. */
  background(options: readonly string[], line = "sleep 600"): Promise<string> {
    return this.docker(["run", "-d", "--network", "none", ...options, IMAGE, "/bin/sh", "-c", line]);
  }

  /** Runs a shell line in a running container. @returns its stdout. */
  exec(container: string, line: string): Promise<string> {
    return this.docker(["exec", container, "/bin/sh", "-c", line]);
  }

  inspectVolume(name: string): Promise<DockerVolume> {
    return this.docker(["volume", "inspect", name]).then((text) => (JSON.parse(text) as DockerVolume[])[0]!);
  }
}

export interface DockerVolume {
  Name: string;
  Driver: string;
  Mountpoint: string;
  CreatedAt: string;
  Scope: string;
  Status?: Record<string, unknown>;
}

/** Name that no other test and no user has: every engine of the machine reads the same directory of spec files. */
export function pluginName(): string {
  return `convoy-lab-${randomBytes(4).toString("hex")}`;
}

/** Registers the daemon with Docker under a name of its own, as the manual says. @returns the name for `--driver`. */
export async function registerPlugin(scratch: Scratch, daemon: Daemon): Promise<string> {
  const name = pluginName();
  scratch.defer(() => daemon.convoy(["docker", "uninstall", "--name", name]));
  await daemon.ok("docker", "install", "--name", name);
  return name;
}

/** The image of the lab, for commands that name it themselves. */
export const LAB_IMAGE = IMAGE;
