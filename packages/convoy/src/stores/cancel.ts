import { ConvoyError } from "../errors.ts";

/** Stops an operation whose signal was aborted. @throws the signal's reason if that is a ConvoyError, else CANCELLED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}

export function cancelled(signal: AbortSignal): ConvoyError {
  if (signal.reason instanceof ConvoyError) return signal.reason;
  return new ConvoyError("CANCELLED", "The operation was cancelled", { cause: signal.reason });
}
