import { type ChildProcess, spawn } from "node:child_process";

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  input?: string | Uint8Array;
  /** Milliseconds after which the program is killed and the run fails; one minute if not said. */
  timeoutMs?: number;
}

export interface RunResult {
  /** Exit code; 128 + signal number is not made up: a killed program has code -1 and its signal in `signal`. */
  code: number;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. Never a shell. Fails only if the program cannot be started or exceeds its time. */
export async function run(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<RunResult> {
  const { stdout, ...rest } = await runRaw(program, args, options);
  return { ...rest, stdout: stdout.toString("utf8") };
}

/** The same with the bytes of stdout as they came. */
export function runRaw(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Omit<RunResult, "stdout"> & { stdout: Buffer }> {
  const limit = options.timeoutMs ?? 60_000;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: mergedEnv(options.env), stdio: "pipe" });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    // A program that ends without reading its input is no failure of ours.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`${program} could not be run: ${error.message}`, { cause: error }));
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      const stderr = Buffer.concat(err).toString("utf8");
      const stdout = Buffer.concat(out);
      if (late) {
        reject(new Error(`${program} ${args.join(" ")} did not end within ${limit} ms\n${stdout}\n${stderr}`));
      } else {
        resolve({ code: code ?? -1, signal, stdout, stderr });
      }
    });
  });
}

/** Runs a program that has to succeed. @returns its stdout. */
export async function succeed(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(program, args, options);
  if (result.code !== 0) {
    throw new Error(
      `${program} ${args.join(" ")} ended with ${result.signal ?? result.code}\n${result.stdout}\n${result.stderr}`,
    );
  }
  return result.stdout;
}

/** This process's environment with changes; undefined removes a variable. */
export function mergedEnv(changes: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const env = { ...process.env, ...changes };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  return env;
}

/** Ends a child of ours: `signal` first, SIGKILL when it has not ended after `limitMs`. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals, limitMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  await ended;
  clearTimeout(timer);
}

/** Waits until `probe` gives something, at most `limitMs`. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 30_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
