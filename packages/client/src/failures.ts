import { type ClientErrorCode, ConvoyClientError } from "./errors.ts";
import type { Problem } from "./wire/answers.ts";
import { ERROR_CODES, type ErrorCode } from "./wire/errors.ts";

/** Turns an error of the socket into one that says what it means for the caller. */
export function connectionError(socketPath: string, cause: Error): ConvoyClientError {
  const errno = (cause as NodeJS.ErrnoException).code ?? "";
  const make = (code: ClientErrorCode, text: string, hint: string) =>
    new ConvoyClientError(text, { code, hint, cause });
  if (["ENOENT", "ECONNREFUSED", "ENOTSOCK", "ENOTDIR"].includes(errno)) {
    return make(
      "NO_DAEMON",
      `no Convoy daemon answers at ${socketPath}`,
      "Start one with `convoy daemon`, or name the socket of the one that runs.",
    );
  }
  if (errno === "EACCES" || errno === "EPERM") {
    return make(
      "NO_PERMISSION",
      `no permission to open the daemon's socket ${socketPath}`,
      "Run this as root, or as a member of the group that the daemon was given with --socket-group.",
    );
  }
  if (errno.startsWith("HPE_")) {
    return make("BAD_ANSWER", `what answers at ${socketPath} is no Convoy daemon`, "Check the path of the socket.");
  }
  return make(
    "CONNECTION_LOST",
    `the connection to the Convoy daemon at ${socketPath} broke: ${cause.message}`,
    "The daemon may have ended; whether the call took effect is not known: look before trying again.",
  );
}

/** The error in an answer of status 300 or more: a problem document, or the plain text of v0.5.2. */
export function errorOfAnswer(status: number, statusText: string, type: string, body: Buffer): ConvoyClientError {
  const text = body.toString();
  const problem = type.startsWith("application/problem+json") ? parseProblem(text) : undefined;
  if (problem) {
    return new ConvoyClientError(problem.detail, {
      status,
      code: isErrorCode(problem.code) ? problem.code : "UNKNOWN",
      ...(typeof problem.hint === "string" ? { hint: problem.hint } : {}),
    });
  }
  // v0.5.2 ends its texts with one newline that does not belong to them.
  const message = text.endsWith("\n") ? text.slice(0, -1) : text;
  if (message !== "") return new ConvoyClientError(message, { status, code: "UNKNOWN" });
  return new ConvoyClientError(statusText || `status ${status}`, {
    status,
    code: "BAD_ANSWER",
    hint: "The daemon refused without a reason: it may be of another version, or no Convoy daemon.",
  });
}

function parseProblem(text: string): (Partial<Problem> & { detail: string }) | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const detail = (value as Partial<Problem> | null)?.detail;
    return typeof detail === "string" ? { ...(value as Partial<Problem>), detail } : undefined;
  } catch {
    return undefined;
  }
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code);
}
