import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DaemonOptions } from "../options.ts";

/** Runs the daemon without the command line around it; the options come as JSON. */
const PROGRAM = `
  const { runDaemon } = await import(${JSON.stringify(new URL("../main.ts", import.meta.url).href)});
  process.exit(await runDaemon(JSON.parse(process.argv[1])));
`;

/** A directory of its own with room for roots, volumes and sockets, and everything that was started in it. */
export class DaemonLab {
  readonly directory: string;
  readonly #daemons: DaemonProcess[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<DaemonLab> {
    return new DaemonLab(await mkdtemp(join(tmpdir(), "convoy-daemon-")));
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** Options of a first start with the vfs driver; what a test gives counts as given on the command line. */
  options(overrides: Partial<DaemonOptions> = {}): DaemonOptions {
    return {
      socket: this.path("run", "convoy.sock"),
      root: this.path("root"),
      logLevel: "info",
      logFormat: "json",
      drivers: ["vfs"],
      driverOpts: [`vfs.path=${this.path("volumes")}`],
      mntNs: "",
      ignoreDockerDelete: false,
      createOnDockerMount: false,
      cmdTimeout: "",
      ignoreConfigFile: false,
      dockerScope: "local",
      dockerRemove: [],
      initStore: false,
      singleHost: false,
      given: ["drivers", "driver-opts"],
      ...overrides,
    };
  }

  /** Starts a daemon and waits until it is ready or has ended. */
  async start(overrides: Partial<DaemonOptions> = {}, environment: NodeJS.ProcessEnv = {}): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(this.options(overrides), environment);
    this.#daemons.push(daemon);
    await daemon.settled();
    return daemon;
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.end("SIGKILL");
    await rm(this.directory, { recursive: true, force: true });
  }
}

export class DaemonProcess {
  readonly options: DaemonOptions;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(options: DaemonOptions, environment: NodeJS.ProcessEnv) {
    this.options = options;
    this.#child = spawn(
      process.execPath,
      ["--conditions=source", "--input-type=module", "--eval", PROGRAM, JSON.stringify(options)],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment } },
    );
    this.#exited = once(this.#child, "close");
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Lines of a JSON log on standard error. */
  get log(): Record<string, unknown>[] {
    return this.stderr
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Messages of warnings. */
  get warnings(): string[] {
    return this.log.filter((line) => line["level"] === 40).map((line) => String(line["msg"]));
  }

  /** Error object on standard output. */
  get error(): string {
    return (JSON.parse(this.stdout) as { Error: string }).Error;
  }

  /** Ready means that the socket answers. */
  async settled(): Promise<void> {
    let exited = false;
    this.#exited.then(() => {
      exited = true;
    });
    for (let tries = 0; tries < 600 && !exited; tries++) {
      const isReady = await this.call("GET", "/readyz").then(
        (answer) => answer.status === 200 && this.#hasSaidReady(),
        () => false,
      );
      if (isReady) return;
      await Promise.race([this.#exited, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
    if (!exited) throw new Error(`the daemon is not ready: ${this.stdout}${this.stderr}`);
  }

  /** Without that line in the log it is the socket of another daemon that answered. */
  #hasSaidReady(): boolean {
    return this.options.log !== undefined || /"ready"|: ready /.test(this.stderr);
  }

  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const payload = body === undefined ? "" : JSON.stringify(body);
    const headers = { "Content-Length": Buffer.byteLength(payload) };
    const sent = request({ socketPath: this.options.socket, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text })).on("error", reject);
    });
    sent.on("error", reject);
    sent.end(payload);
    return promise;
  }

  /** Sends a signal and waits for the end. @returns the exit code, or the signal that ended the process. */
  async end(signal: NodeJS.Signals): Promise<number | string | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    await this.#exited;
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
