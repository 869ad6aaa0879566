import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { encode, encodeEntries } from "./encode.ts";

/** An answer before it is sent. */
export interface Reply {
  status: number;
  /** Left out together with an empty body. */
  contentType?: string;
  /** Pieces are sent as they come, without holding up other requests. */
  body: string | Iterable<string>;
  headers?: Record<string, string | string[]>;
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";

export function empty(): Reply {
  return { status: 200, body: "" };
}

/** A bare word (a name, a path, a URL), as every answer that is not verbose. */
export function word(text: string): Reply {
  return { status: 200, contentType: TEXT, body: text };
}

export function text(status: number, body: string): Reply {
  return { status, contentType: TEXT, body, headers: { "X-Content-Type-Options": "nosniff" } };
}

export function json(value: unknown, status = 200): Reply {
  return { status, contentType: JSON_TYPE, body: encode(value) };
}

/** A JSON object of many entries, in the given order. */
export function jsonEntries(entries: Iterable<readonly [string, unknown]>): Reply {
  return { status: 200, contentType: JSON_TYPE, body: encodeEntries(entries) };
}

/**
 * Adds what the user should know although the call succeeded, as `Warning` headers with code 299 (RFC 7234, section
 * 5.5): an answer that is a bare word has no other place for it.
 */
export function withWarnings(reply: Reply, warnings: readonly string[]): Reply {
  if (warnings.length === 0) return reply;
  const values = warnings.map((warning) => `299 convoy ${JSON.stringify(asciiOnly(warning))}`);
  return { ...reply, headers: { ...reply.headers, Warning: values } };
}

/** Header values are one line of visible ASCII. */
function asciiOnly(value: string): string {
  return value.replace(/[^\x20-\x7e]+/g, "?");
}

/** Pieces are gathered to about this many characters per write. */
const WRITE_SIZE = 1 << 16;

/** Sends the answer; resolves when it is handed to the system or the client is gone. */
export async function send(response: ServerResponse, reply: Reply): Promise<void> {
  response.statusCode = reply.status;
  if (reply.contentType !== undefined) response.setHeader("Content-Type", reply.contentType);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (typeof reply.body === "string") {
    response.setHeader("Content-Length", Buffer.byteLength(reply.body));
    response.end(reply.body);
    return;
  }
  let gathered = "";
  for (const piece of reply.body) {
    gathered += piece;
    if (gathered.length < WRITE_SIZE) continue;
    if (!response.write(gathered)) await drained(response);
    if (response.destroyed) return;
    gathered = "";
    await setImmediate();
  }
  response.end(gathered);
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const gone = new AbortController();
  const onClose = () => gone.abort();
  response.once("close", onClose);
  try {
    await once(response, "drain", { signal: gone.signal });
  } catch {
    // The client went away; the caller sees `destroyed`.
  } finally {
    response.removeListener("close", onClose);
  }
}
