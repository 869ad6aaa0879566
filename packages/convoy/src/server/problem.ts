import { STATUS_CODES } from "node:http";
import { ERROR_CODES, type ErrorCode, type Problem } from "node-convoy/wire";
import { ConvoyError, messageOf } from "../errors.ts";
import type { Logger } from "../host/log.ts";
import { type Reply, text } from "./reply.ts";

/** Any thrown value as an error with a code. What nobody foresaw is INTERNAL and keeps its own text. */
export function toConvoyError(error: unknown): ConvoyError {
  if (error instanceof ConvoyError) return error;
  return new ConvoyError("INTERNAL", `Internal error: ${messageOf(error)}`, {
    cause: error,
    hint: "The daemon's log has more about it.",
  });
}

/** True if the client asked for RFC 9457 problem details (our own client does). */
export function wantsProblem(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes("application/problem+json") === true;
}

/** RFC 9457 problem details with the status that fits the error. */
export function problemReply(error: ConvoyError, headers: Record<string, string> = {}): Reply {
  const problem: Problem = {
    type: `urn:convoy:problem:${error.code}`,
    title: STATUS_CODES[error.status] ?? error.code.toLowerCase().replaceAll("_", " "),
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
  return { status: error.status, contentType: "application/problem+json", body: JSON.stringify(problem), headers };
}

/**
 * The message as plain text with the status of v0.5.2: 404 for an unknown volume where that program had it, 500 for
 * failures that are not the caller's (v0.5.2 had 400 for them too), 400 for the rest.
 */
export function plainReply(error: ConvoyError, notFoundIs404: boolean): Reply {
  const status = notFoundIs404 && error.code === "VOLUME_NOT_FOUND" ? 404 : isFailure(error.code) ? 500 : 400;
  return text(status, `${error.message}\n`);
}

/** True for failures of the daemon or its surroundings, false for what the caller can put right. */
function isFailure(code: ErrorCode): boolean {
  return ERROR_CODES[code] >= 500;
}

/** Logs an error once: failures as errors with what caused them, refusals of a request as information. */
export function logError(log: Logger, error: ConvoyError): void {
  const details = {
    code: error.code,
    ...(error.cause === undefined ? {} : { cause: causesOf(error) }),
    ...(error.code === "INTERNAL" ? { stack: hideCredentials(stackOf(error)) } : {}),
  };
  log[isFailure(error.code) ? "error" : "info"](details, hideCredentials(error.message));
}

/** Messages of the chain of causes. Only texts: error objects of HTTP libraries hold requests with their headers. */
function causesOf(error: Error): string {
  const texts: string[] = [];
  for (let cause = error.cause; cause !== undefined && texts.length < 10; ) {
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
