import type { ErrorCode } from "./wire/errors.ts";

/**
 * What went wrong before or after the daemon could say anything:
 * `NO_DAEMON` nothing listens on the socket; `NO_PERMISSION` the socket may not be opened by this user;
 * `CONNECTION_LOST` the connection ended before the answer was complete (whether the call took effect is unknown);
 * `BAD_ANSWER` what answers is no Convoy daemon; `UNKNOWN` an error of a daemon that sends no codes (v0.5.2).
 */
export type ClientErrorCode = "NO_DAEMON" | "NO_PERMISSION" | "CONNECTION_LOST" | "BAD_ANSWER" | "UNKNOWN";

export interface ConvoyClientErrorOptions {
  /** HTTP status of the daemon's answer; left out when there was none. */
  status?: number;
  code: ErrorCode | ClientErrorCode;
  /** What to do next. */
  hint?: string;
  cause?: unknown;
}

/** Every error of this library. `message` is the daemon's text, unchanged. */
export class ConvoyClientError extends Error {
  /** HTTP status; 0 when the daemon gave no answer. */
  readonly status: number;
  /** Stable code, meant for programs. */
  readonly code: ErrorCode | ClientErrorCode;
  readonly hint: string | undefined;

  constructor(message: string, options: ConvoyClientErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ConvoyClientError";
    this.status = options.status ?? 0;
    this.code = options.code;
    this.hint = options.hint;
  }
}
