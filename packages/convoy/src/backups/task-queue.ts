import { ConvoyError } from "../errors.ts";
import { KeyedMutex } from "../host/keyed-mutex.ts";
import type { OperationContext } from "../host/operation.ts";

/** The error of an operation whose signal was aborted: the reason that the canceller gave, or CANCELLED. */
export function cancellation(signal: AbortSignal): ConvoyError {
  if (signal.reason instanceof ConvoyError) return signal.reason;
  return new ConvoyError("CANCELLED", "The operation was cancelled", { cause: signal.reason });
}

/** Changes of one volume's backups in one store, one after the other within this process. */
export class TaskQueue {
  readonly #mutex = new KeyedMutex();

  /** Runs `work` when it is this call's turn; a cancelled call stops waiting at once and never runs. */
  async run<T>(key: string, context: OperationContext, work: () => Promise<T>): Promise<T> {
    const { signal } = context;
    if (signal.aborted) throw cancellation(signal);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(cancellation(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    context.progress({ phase: "waiting" });
    const turn = this.#mutex.run(key, async () => {
      if (signal.aborted) throw cancellation(signal);
      // From here on the work itself answers the signal, and cleans up before it ends.
      signal.removeEventListener("abort", onAbort);
      return await work();
    });
    return await Promise.race([turn, aborted]);
  }
}
