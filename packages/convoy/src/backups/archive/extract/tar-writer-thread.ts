import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { OperationContext } from "../../../host/operation.ts";
import type { ExtractOutput } from "../archive-extract.worker.ts";
import { extractPool } from "../pools.ts";

/** Pieces on their way to the thread; more would only fill the memory. */
const UNWRITTEN_LIMIT = 2;

/** The main thread's end of the thread that writes a tar stream to a directory. */
export class TarWriterThread {
  readonly #port: MessagePort;
  readonly #signal: AbortSignal;
  readonly #stopPort: () => void;
  readonly #done: Promise<ExtractOutput>;
  #unwritten = 0;
  #settled = false;
  /** Wakes the caller of `push` that waits for the thread to catch up. */
  #wake: () => void = () => {};

  /** @param options `root` must stay open until `stop` has resolved. */
  constructor(
    options: { root: number; reserveBytes: number; totalBytes: number | undefined },
    context: OperationContext,
  ) {
    const { root, reserveBytes, totalBytes } = options;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#signal = context.signal;
    this.#stopPort = () => port1.close();
    // The thread waits for the next piece: closing the port is what tells it to stop.
    this.#signal.addEventListener("abort", this.#stopPort, { once: true });
    this.#done = extractPool.run(
      "extract",
      { root, reserveBytes, port: port2 },
      {
        signal: context.signal,
        transfer: [port2],
        progress: (bytesDone) => {
          this.#unwritten--;
          this.#wake();
          context.progress({
            phase: "restore",
            bytesDone,
            ...(totalBytes === undefined ? {} : { bytesTotal: totalBytes }),
          });
        },
      },
    );
    const settled = () => {
      this.#settled = true;
      this.#wake();
    };
    this.#done.then(settled, settled);
  }

  /** Hands over the next piece, which is unusable afterwards. Waits while the thread is behind. @throws its failure */
  async push(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    while (this.#unwritten >= UNWRITTEN_LIMIT && !this.#settled) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#settled) await this.#done;
    this.#unwritten++;
    this.#port.postMessage(piece, [piece.buffer]);
  }

  /** Tells the thread that the stream is complete and waits until everything is on the disk. */
  end(): Promise<ExtractOutput> {
    this.#port.postMessage(null);
    return this.#done;
  }

  /** Stops the thread if it is still at work. Resolves once it touches the directory no more; never fails. */
  async stop(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stopPort);
    this.#port.close();
    await Promise.allSettled([this.#done]);
  }
}
