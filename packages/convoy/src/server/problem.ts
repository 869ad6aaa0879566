import { STATUS_CODES } from "node:http";
import type { Problem } from "node-convoy/wire";
import type { ConvoyError } from "../errors.ts";
import { isFailure } from "../host/failure-log.ts";
import { type Reply, text } from "./reply.ts";

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
