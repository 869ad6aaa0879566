import { setImmediate as nextTurn } from "node:timers/promises";
import { cancelled, throwIfAborted } from "./cancel.ts";

export type Body = Uint8Array | AsyncIterable<Uint8Array>;

const PIECE = 1 << 20;

/**
 * Gives a body piece by piece and stops as soon as the signal is aborted, even while the body makes it wait. Errors of
 * the body pass unchanged. A piece may be reused by its maker once the next one is asked for.
 */
export async function* pieces(body: Body, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  throwIfAborted(signal);
  if (body instanceof Uint8Array) {
    for (let start = 0; start < body.length; start += PIECE) {
      if (start > 0) {
        await nextTurn();
        throwIfAborted(signal);
      }
      yield body.subarray(start, start + PIECE);
    }
    return;
  }
  const iterator = body[Symbol.asyncIterator]();
  let exhausted = false;
  try {
    for (;;) {
      exhausted = true;
      const next = await orAbort(iterator.next(), signal);
      if (next.done) return;
      exhausted = false;
      yield next.value;
    }
  } finally {
    if (signal?.aborted) {
      // It may never answer; what it holds it gives back when it does.
      void iterator.return?.()?.then(undefined, () => undefined);
    } else if (!exhausted) {
      await iterator.return?.();
    }
  }
}

/** Waits for `promise`, but not longer than until the signal is aborted. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancelled(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
