import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endChild, mergedEnv, type RunOptions, type RunResult, run, until } from "./run.ts";
import type { Scratch } from "./scratch.ts";

/** The program that users type. */
export const CONVOY = fileURLToPath(new URL("../../bin/convoy", import.meta.url));

export interface DaemonSetup {
  /** Directory for root, socket and log; a new one if not said. */
  base?: string;
  /** State directory; `<base>/root` if not said. */
  root?: string;
  /** vfs.path; `<base>/volumes` if not said. */
  path?: string;
  /** Leave drivers and their options to the configuration that the root has. */
  configured?: boolean;
  /** Further flags of `convoy daemon`. */
  args?: readonly string[];
  env?: Record<string, string | undefined>;
}

/** What the daemon must not inherit from the one who runs the tests. */
const CLEAN_ENV: Record<string, undefined> = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_ACCESS_KEY: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SECRET_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_PROFILE: undefined,
  AWS_REGION: undefined,
  AWS_DEFAULT_REGION: undefined,
  NODE_OPTIONS: undefined,
};

export interface RestAnswer {
  status: number;
  body: string;
}

/** A real `convoy daemon` process with its own root, socket and volumes, and the command line to talk to it. */
export class Daemon {
  readonly base: string;
  readonly root: string;
  readonly path: string;
  readonly socket: string;
  readonly #setup: DaemonSetup;
  #child: ChildProcess | undefined;

  private constructor(base: string, setup: DaemonSetup) {
    this.base = base;
    this.root = setup.root ?? join(base, "root");
    this.path = setup.path ?? join(base, "volumes");
    this.socket = join(base, "convoy.sock");
    this.#setup = setup;
  }

  /** Starts a daemon that is stopped when `scratch` gives back. */
  static async start(scratch: Scratch, setup: DaemonSetup = {}): Promise<Daemon> {
    const base = setup.base ?? (await scratch.directory("daemon"));
    await mkdir(base, { recursive: true });
    const daemon = new Daemon(base, setup);
    scratch.defer(() => daemon.kill());
    await daemon.start();
    return daemon;
  }

  get logFile(): string {
    return join(this.base, "daemon.log");
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the daemon is not running");
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts the process and waits until it answers. Its output is appended to the log file. */
  async start(args: readonly string[] = this.#setup.args ?? []): Promise<void> {
    if (this.running) throw new Error("the daemon is running already");
    const log = openSync(this.logFile, "a");
    const child = spawn(
      CONVOY,
      [
        ...["--socket", this.socket, "daemon", "--root", this.root],
        ...(this.#setup.configured ? [] : ["--drivers", "vfs", "--driver-opts", `vfs.path=${this.path}`]),
        ...args,
      ],
      { stdio: ["ignore", log, log], env: mergedEnv({ ...CLEAN_ENV, ...this.#setup.env }) },
    );
    closeSync(log);
    this.#child = child;
    let failure: Error | undefined;
    child.once("error", (error) => {
      failure = error;
    });
    await until("the daemon to answer", async () => {
      if (failure !== undefined || !this.running) {
        throw new Error(`the daemon did not start (${failure?.message ?? child.exitCode}):\n${await this.log()}`);
      }
      return answers(this.socket);
    });
  }

  /** Ends it as an administrator would. @returns its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM", limitMs = 30_000): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    await endChild(child, signal, limitMs);
    return child.exitCode;
  }

  /** `kill -9`: what a crash is to the files. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await endChild(this.#child, "SIGKILL", 5000);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  log(): Promise<string> {
    return readFile(this.logFile, "utf8");
  }

  /** Runs `convoy --socket … <args>`. */
  convoy(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(CONVOY, ["--socket", this.socket, ...args], options);
  }

  /** Runs a command that has to succeed. @returns stdout without the newline at its end. */
  async ok(...args: string[]): Promise<string> {
    const result = await this.convoy(args, { timeoutMs: 120_000 });
    if (result.code !== 0) {
      throw new Error(`convoy ${args.join(" ")} ended with ${result.code}: ${result.stdout}${result.stderr}`);
    }
    return result.stdout.replace(/\n$/, "");
  }

  /** Runs a command that has to fail as failures do: exit code 1 and the error object. @returns its message, trimmed. */
  async fails(...args: string[]): Promise<string> {
    const result = await this.convoy(args, { timeoutMs: 120_000 });
    if (result.code !== 1) {
      throw new Error(`convoy ${args.join(" ")} ended with ${result.code} instead of 1: ${result.stdout}`);
    }
    const object = result.stdout.slice(result.stdout.indexOf('{\n\t"Error"'));
    return (JSON.parse(object) as { Error: string }).Error.trim();
  }

  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    return JSON.parse(await this.ok(...args)) as T;
  }

  /** Names of all volumes that the daemon shows, sorted. */
  async volumes(): Promise<string[]> {
    return Object.keys(await this.json("list")).sort();
  }

  /** One request on the socket, as any HTTP client may send it. */
  rest(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<RestAnswer> {
    return rest(this.socket, method, path, body, headers);
  }

  /** Resident memory in bytes: the present and the highest so far. */
  async memory(): Promise<{ present: number; highest: number }> {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, "m").exec(status)?.[1]) * 1024;
    return { present: field("VmRSS"), highest: field("VmHWM") };
  }

  /** Begins measuring the highest resident memory anew. */
  async resetHighest(): Promise<void> {
    await writeFile(`/proc/${this.pid}/clear_refs`, "5");
  }
}

/** The URL in the answer of `backup create`, ready to be given back. */
export function backupUrl(printed: string): string {
  return printed.trim().replace("\\u0026", "&");
}

/** True when something accepts connections on the socket. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

export function rest(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<RestAnswer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const sent = request(
      {
        socketPath: socket,
        method,
        path,
        timeout: 180_000,
        agent: false,
        headers: { Host: "localhost", "Content-Length": Buffer.byteLength(text), ...headers },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.once("error", reject);
        answer.once("end", () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    sent.once("timeout", () => sent.destroy(new Error(`${method} ${path}: no answer`)));
    sent.once("error", reject);
    sent.end(text);
  });
}
