import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { Infer, Schema } from "node-convoy/wire";
import { ConvoyError } from "../errors.ts";
import { OddNumber } from "./body.ts";

const ajv = new Ajv({ strict: true });
const compiled = new Map<Schema, ValidateFunction>();

/** Compiles a schema at its first use: compiling all at the start would delay the daemon. */
function validatorOf(schema: Schema): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  return validate;
}

/**
 * Gives the values of a request the names that the schema has, and checks them. Names match in any letter case, the
 * last of several wins, unknown ones are ignored, and `null` is the same as missing (rules of v0.5.2).
 * @throws INVALID_REQUEST naming the field, the value and what is allowed.
 */
export function checkRequest<S extends Schema>(schema: S, values: Iterable<readonly [string, unknown]>): Infer<S> {
  const names = new Map(Object.keys(schema.properties ?? {}).map((name) => [name.toLowerCase(), name]));
  const request: Record<string, unknown> = {};
  for (const [key, value] of values) {
    const name = names.get(key.toLowerCase());
    if (name !== undefined && value !== null) request[name] = value;
  }
  const validate = validatorOf(schema);
  if (validate(request)) return request as Infer<S>;
  throw refusal(schema, request, validate.errors?.[0]);
}

function refusal(schema: Schema, request: Record<string, unknown>, error: ErrorObject | undefined): ConvoyError {
  const [name = "", key] = (error?.instancePath ?? "").slice(1).split("/").map(decodePointer);
  const property = schema.properties?.[name];
  if (property === undefined) {
    const missing = (error?.params as { missingProperty?: string } | undefined)?.missingProperty;
    return new ConvoyError("INVALID_REQUEST", `The field ${missing ?? name} is missing`);
  }
  if (key !== undefined) {
    const value = (request[name] as Record<string, unknown>)[key];
    return new ConvoyError("INVALID_REQUEST", `${name}.${key} must be a text in quotes, not ${show(value)}`);
  }
  return new ConvoyError("INVALID_REQUEST", `${name} must be ${allowed(property)}, not ${show(request[name])}`, {
    ...(property.description === undefined ? {} : { hint: `${name}: ${property.description}.` }),
  });
}

/** JSON pointers write `~` as `~0` and `/` as `~1` (RFC 6901). */
function decodePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function allowed(property: Schema): string {
  if (property.type === "integer") {
    return `a whole number from ${property.minimum ?? 0} to ${property.maximum ?? Number.MAX_SAFE_INTEGER}`;
  }
  if (property.type === "boolean") return "true or false";
  if (property.type === "object") return "an object of texts";
  return property.pattern === undefined ? "a text in quotes" : `a text of the form ${property.pattern}`;
}

/** The value as the caller wrote it, cut where it is long. */
export function show(value: unknown): string {
  const text = value instanceof OddNumber ? value.source : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
