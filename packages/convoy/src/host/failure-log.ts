import { ERROR_CODES, type ErrorCode } from "node-convoy/wire";
import { ConvoyError, messageOf } from "../errors.ts";
import type { Logger } from "./log.ts";

/** Any thrown value as an error with a code. What nobody foresaw is INTERNAL and keeps its own text. */
export function toConvoyError(error: unknown): ConvoyError {
  if (error instanceof ConvoyError) return error;
  return new ConvoyError("INTERNAL", `Internal error: ${messageOf(error)}`, {
    cause: error,
    hint: "The daemon's log has more about it.",
  });
}

/** True for failures of the daemon, a store or the machine, false for what the caller or an administrator put there. */
export function isFailure(code: ErrorCode): boolean {
  return ERROR_CODES[code] >= 500 && code !== "UNREACHABLE";
}

const logged = new WeakSet<object>();

/**
 * Logs an error with what caused it, whichever layer sees it first: a later call for the same error, or for one that
 * it caused, does nothing. Failures are errors, places that are not there warnings, refusals of a request information.
 */
export function logFailure(log: Logger, thrown: unknown, fields: object = {}): void {
  const isLogged = wasLogged(thrown);
  if (typeof thrown === "object" && thrown !== null) logged.add(thrown);
  if (isLogged) return;
  const error = toConvoyError(thrown);
  const details = {
    ...fields,
    code: error.code,
    ...(error.cause === undefined ? {} : { cause: causesOf(error) }),
    ...(error.code === "INTERNAL" ? { stack: hideCredentials(stackOf(error)) } : {}),
  };
  log[levelOf(error.code)](details, hideCredentials(error.message));
}

function levelOf(code: ErrorCode): "error" | "warn" | "info" {
  if (code === "UNREACHABLE") return "warn";
  return isFailure(code) && code !== "SHUTTING_DOWN" ? "error" : "info";
}

function wasLogged(thrown: unknown): boolean {
  let error = thrown;
  for (let depth = 0; typeof error === "object" && error !== null && depth < MOST_CAUSES; depth++) {
    if (logged.has(error)) return true;
    error = (error as Error).cause;
  }
  return false;
}

const MOST_CAUSES = 10;

/** Messages of the chain of causes. Only texts: error objects of HTTP libraries hold requests with their headers. */
function causesOf(error: Error): string {
  const texts: string[] = [];
  for (let cause = error.cause; cause !== undefined && texts.length < MOST_CAUSES; ) {
    texts.push(messageOf(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return hideCredentials(texts.join(": "));
}

function stackOf(error: Error): string {
  return (error.cause instanceof Error ? error.cause.stack : error.stack) ?? "";
}

/** Hides `user:password@` of URLs. */
function hideCredentials(value: string): string {
  return value.replace(/\/\/[^/@\s'"]*@/g, "//[hidden]@");
}
