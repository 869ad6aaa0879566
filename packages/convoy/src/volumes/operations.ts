import { ConvoyError, isConvoyError } from "../errors.ts";
import { logFailure } from "../host/failure-log.ts";
import type { Logger } from "../host/log.ts";
import { workEnded } from "../host/memory.ts";
import type { OperationContext } from "../host/operation.ts";
import { requestFields } from "../host/request-id.ts";
import { newId } from "../host/root.ts";

export interface OperationFields {
  operation: string;
  driver?: string | undefined;
  volume?: string | undefined;
  snapshot?: string | undefined;
}

interface Running extends OperationFields {
  id: string;
  started: number;
  controller: AbortController;
  done: Promise<unknown>;
}

/** The operations under way in this daemon: each can be cancelled, and a stop waits for all. */
export class Operations {
  readonly #log: Logger;
  readonly #running = new Map<string, Running>();
  #closing = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Runs `work` as an operation: its end, good or bad, is logged with its fields, and a stop of the daemon cancels it. */
  async run<T>(fields: OperationFields, work: (context: OperationContext, id: string) => Promise<T>): Promise<T> {
    if (this.#closing) {
      throw new ConvoyError("SHUTTING_DOWN", "The daemon is shutting down", {
        hint: "Try again when it has started anew.",
      });
    }
    const id = newId().slice(0, 16);
    const log = this.#log.child({ ...requestFields(), ...fields, operationId: id });
    const controller = new AbortController();
    const context: OperationContext = {
      signal: controller.signal,
      log,
      progress: ({ phase, bytesDone, bytesTotal }) => log.trace({ phase, bytesDone, bytesTotal }, "progress"),
    };
    const started = performance.now();
    log.debug("started");
    const done = work(context, id).then(
      (result) => {
        log.info({ durationMs: Math.round(performance.now() - started) }, `${fields.operation} done`);
        return result;
      },
      (error: unknown) => {
        const known = controller.signal.aborted && !isConvoyError(error, "CANCELLED") ? cancelled(error) : error;
        logFailure(log, known, { durationMs: Math.round(performance.now() - started) });
        throw known;
      },
    );
    this.#running.set(id, { ...fields, id, started, controller, done });
    try {
      return await done;
    } finally {
      this.#running.delete(id);
      if (this.#running.size === 0) workEnded(performance.now() - started);
    }
  }

  /** Refuses new operations, cancels the running ones and waits at most `limitMs` for them to give back what they took. */
  async shutdown(limitMs: number): Promise<void> {
    this.#closing = true;
    const running = [...this.#running.values()];
    for (const { controller, operation, volume } of running) {
      this.#log.info({ operation, volume }, "cancelled by the stop of the daemon");
      controller.abort();
    }
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([Promise.allSettled(running.map(({ done }) => done)), limit]);
    clearTimeout(timer);
    for (const { operation, volume } of this.#running.values()) {
      this.#log.warn({ operation, volume }, "did not end in time; what it left is cleaned up at the next start");
    }
  }
}

function cancelled(cause: unknown): ConvoyError {
  return new ConvoyError("CANCELLED", "The operation was cancelled because the daemon is stopping", {
    cause,
    hint: "Nothing half-made stays behind. Try again when the daemon has started anew.",
  });
}
