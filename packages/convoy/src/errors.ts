import { ERROR_CODES, type ErrorCode } from "node-convoy/wire";

export interface ConvoyErrorOptions {
  /** What to do next, one sentence. */
  hint?: string;
  cause?: unknown;
}

/**
 * Every error that a user may see. The message is plain words with the value and what is allowed; where Convoy v0.5.2
 * has a text for the same case, it is that text, because scripts read it.
 */
export class ConvoyError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: ConvoyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ConvoyError";
    this.code = code;
    this.hint = options.hint;
  }

  /** Status of the problem document (RFC 9457). */
  get status(): number {
    return ERROR_CODES[this.code];
  }
}

/** True if `error` is a ConvoyError with one of `codes` (any code when none is given). */
export function isConvoyError(error: unknown, ...codes: ErrorCode[]): error is ConvoyError {
  return error instanceof ConvoyError && (codes.length === 0 || codes.includes(error.code));
}

/** The errno name (`ENOENT`, …) of an error of the system, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
