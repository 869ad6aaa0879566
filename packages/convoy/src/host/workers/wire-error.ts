import type { ErrorCode } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";

/** An error as plain data: structured clone keeps neither classes nor the `code` of an Error. */
export interface WireError {
  kind: "convoy" | "other";
  message: string;
  /** ErrorCode of a ConvoyError, errno name of an error of the system. */
  code: string | undefined;
  hint?: string | undefined;
  name?: string | undefined;
  errno?: number | undefined;
  syscall?: string | undefined;
  path?: string | undefined;
  stack?: string | undefined;
  cause?: WireError | undefined;
}

export function encodeError(thrown: unknown): WireError {
  if (!(thrown instanceof Error)) return { kind: "other", message: String(thrown), code: undefined };
  const cause = thrown.cause === undefined ? undefined : encodeError(thrown.cause);
  if (thrown instanceof ConvoyError) {
    return {
      kind: "convoy",
      message: thrown.message,
      code: thrown.code,
      hint: thrown.hint,
      stack: thrown.stack,
      cause,
    };
  }
  const { name, message, stack, code, errno, syscall, path } = thrown as NodeJS.ErrnoException;
  return { kind: "other", message, code, name, errno, syscall, path, stack, cause };
}

/** The error as it was thrown in the worker: a ConvoyError again, or an Error with the same errno fields. */
export function decodeError(wire: WireError): Error {
  const cause = wire.cause === undefined ? undefined : decodeError(wire.cause);
  let error: Error;
  if (wire.kind === "convoy") {
    const hint = wire.hint === undefined ? {} : { hint: wire.hint };
    error = new ConvoyError(wire.code as ErrorCode, wire.message, { ...hint, cause });
  } else {
    error = new Error(wire.message, cause === undefined ? undefined : { cause });
    for (const key of ["name", "code", "errno", "syscall", "path"] as const) {
      if (wire[key] !== undefined) Object.assign(error, { [key]: wire[key] });
    }
  }
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}
