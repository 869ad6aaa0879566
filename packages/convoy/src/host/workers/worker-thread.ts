import { type Transferable, Worker } from "node:worker_threads";
import { ConvoyError } from "../../errors.ts";
import type { TaskMessage, WorkerMessage } from "./protocol.ts";
import { decodeError } from "./wire-error.ts";

interface RunningTask {
  progress: (value: unknown) => void;
  resolve: (output: unknown) => void;
  reject: (error: Error) => void;
}

/** One thread with at most one task. A crash of the thread is an error of its task. */
export class WorkerThread {
  readonly #name: string;
  readonly #worker: Worker;
  #running: RunningTask | undefined;
  #dead = false;

  constructor(name: string, url: URL) {
    this.#name = name;
    this.#worker = new Worker(url, {
      name,
      // Descriptors are the process's and are closed by number through other calls than node:fs.
      trackUnmanagedFds: false,
      // Measured: the default lets each thread's short-lived objects grow to tens of megabytes, and is no faster.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
      // The rest of the command line (--inspect, --eval, …) is the main thread's.
      execArgv: process.execArgv.filter((flag) => flag.startsWith("--conditions=")),
    });
    this.#worker.unref();
    this.#worker.on("message", (message: WorkerMessage) => this.#receive(message));
    this.#worker.on("messageerror", (error) => this.#end(error));
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", (code) => this.#end(new Error(`exit code ${code}`)));
  }

  /** True once the thread has ended and can take no task. */
  get dead(): boolean {
    return this.#dead;
  }

  run(message: TaskMessage, transfer: readonly Transferable[], progress: (value: unknown) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#running = { progress, resolve, reject };
      // While a task runs its thread keeps the process alive, as any other pending work does.
      this.#worker.ref();
      try {
        this.#worker.postMessage(message, transfer);
      } catch (error) {
        this.#settle()?.reject(error as Error);
      }
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(): RunningTask | undefined {
    const running = this.#running;
    this.#running = undefined;
    this.#worker.unref();
    return running;
  }

  #receive(message: WorkerMessage): void {
    if (message.type === "progress") this.#running?.progress(message.value);
    else if (message.type === "done") this.#settle()?.resolve(message.output);
    else this.#settle()?.reject(decodeError(message.error));
  }

  #end(cause: unknown): void {
    this.#dead = true;
    this.#settle()?.reject(
      new ConvoyError("INTERNAL", `The worker thread '${this.#name}' ended unexpectedly: ${String(cause)}`, {
        cause,
        hint: "Repeat the operation; if it happens again, report it with the daemon's log.",
      }),
    );
  }
}
