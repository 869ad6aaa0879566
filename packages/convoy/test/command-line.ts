import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleCommand } from "../../../scripts/build/command.ts";
import { writeFiles } from "../../../scripts/build/files.ts";
import { FakeDaemon, type Handler } from "../../client/test/fake-daemon.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const LIMIT_MS = 30_000;

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The command line as users get it, the bundle, in a directory of its own, beside a daemon that answers from memory. */
export class CommandLine {
  readonly #directory = mkdtempSync(join(tmpdir(), "convoy-cli-"));
  #daemon: FakeDaemon | undefined;

  static async make(): Promise<CommandLine> {
    const made = new CommandLine();
    writeFiles(made.#directory, (await bundleCommand(root, "0.6.0", "./daemon.js")).files);
    return made;
  }

  get program(): string {
    return join(this.#directory, "convoy.cjs");
  }

  get daemon(): FakeDaemon {
    if (!this.#daemon) throw new Error("serve() comes first");
    return this.#daemon;
  }

  /** Starts a daemon; `run` talks to it from then on. */
  async serve(handler: Handler): Promise<FakeDaemon> {
    await this.#daemon?.stop();
    this.#daemon = await FakeDaemon.start(handler);
    return this.#daemon;
  }

  /** Runs `convoy --socket <daemon> ...words`, without the option when there is no daemon. */
  run(...words: string[]): Promise<Run> {
    return this.exec(this.#daemon ? ["--socket", this.#daemon.socket, ...words] : words);
  }

  /** Runs the program with exactly these words. */
  exec(words: readonly string[]): Promise<Run> {
    return collect(process.execPath, [this.program, ...words]);
  }

  async remove(): Promise<void> {
    await this.#daemon?.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Runs a program to its end and collects what it wrote; standard output and error are pipes. */
export function collect(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS, env });
    const run = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (run.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (run.stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...run }));
  });
}

/** The error object that scripts read from standard output. */
export function errorObject(text: string): string {
  return `{\n\t"Error": ${JSON.stringify(text)}\n}\n`;
}
