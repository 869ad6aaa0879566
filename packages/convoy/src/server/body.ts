import type { IncomingMessage } from "node:http";
import type { Schema } from "node-convoy/wire";
import { ConvoyError, messageOf } from "../errors.ts";

/** No request needs more; a larger one is refused before it is held in memory. */
export const MAX_BODY = 1 << 20;

/** A JSON number that is not written as a whole one (`1.5`, `1e3`): never valid here, kept for the message. */
export class OddNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** Reads the whole body as UTF-8. @throws INVALID_REQUEST above MAX_BODY bytes. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) {
      throw new ConvoyError("INVALID_REQUEST", `The request body has more than the ${MAX_BODY} bytes allowed`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * The fields of a request: of the JSON object in its body, or of the query string when there is no body (some HTTP
 * stacks drop the body of a GET). `null` is an empty object, text after the first JSON value is ignored.
 * @throws INVALID_REQUEST for a body that is no JSON object, and if there is neither body nor query.
 */
export function fieldsOf(body: string, query: URLSearchParams, schema: Schema): (readonly [string, unknown])[] {
  const trimmed = body.trimStart();
  if (trimmed !== "") return Object.entries(parseObject(trimmed));
  if (query.size > 0) return fieldsOfQuery(query, schema);
  const names = Object.keys(schema.properties ?? {}).join(", ");
  throw new ConvoyError(
    "INVALID_REQUEST",
    `The request has no body: a JSON object with the fields ${names} is needed`,
    {
      hint: "Send at least {}, or give the fields in the query string.",
    },
  );
}

function parseObject(text: string): Record<string, unknown> {
  if (/^null(?![\w$])/.test(text)) return {};
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith("{") ? text.slice(0, endOfObject(text)) : text, markOddNumbers);
  } catch (error) {
    throw new ConvoyError("INVALID_REQUEST", `The request body is not valid JSON: ${messageOf(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof OddNumber) {
    const kind = Array.isArray(value) ? "an array" : value instanceof OddNumber ? "a number" : `a ${typeof value}`;
    throw new ConvoyError("INVALID_REQUEST", `The request body must be a JSON object, not ${kind}`);
  }
  return value as Record<string, unknown>;
}

/** Numbers are whole in this API; `context.source` is the text as it stood in the body. */
function markOddNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return /^-?[0-9]+$/.test(context.source) ? value : new OddNumber(context.source);
}

/** Where the object that `text` begins with ends; the length of `text` if it does not. */
function endOfObject(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) return at + 1;
  }
  return text.length;
}

/** Query values are texts; where the schema wants a number or a flag, a fitting text is taken for one. */
function fieldsOfQuery(query: URLSearchParams, schema: Schema): (readonly [string, unknown])[] {
  const types = new Map(Object.entries(schema.properties ?? {}).map(([name, { type }]) => [name.toLowerCase(), type]));
  return [...query].map(([name, value]) => {
    const type = types.get(name.toLowerCase());
    if (type === "integer" && /^-?[0-9]+$/.test(value)) return [name, Number(value)] as const;
    if (type === "boolean") return [name, parseFlag(value) ?? value] as const;
    return [name, value] as const;
  });
}

/** A flag as v0.5.2 took it on its command line and in Docker's options; undefined for anything else. */
export function parseFlag(value: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  return undefined;
}
