import { Ajv, type ValidateFunction } from "ajv";
import type { Infer, Schema } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";

const ajv = new Ajv({ strict: true });

/**
 * Makes a check of a decoded object against a schema (R31), compiled at its first use.
 * @returns a function that throws BACKUP_DAMAGED naming the object's key and what is wrong with it
 */
export function checker<S extends Schema>(schema: S): (value: unknown, key: string) => Infer<S> {
  let validate: ValidateFunction | undefined;
  return (value, key) => {
    validate ??= ajv.compile(schema);
    if (validate(value)) return value as Infer<S>;
    const first = validate.errors?.[0];
    throw damaged(key, `${first?.instancePath.slice(1) || "it"} ${first?.message ?? "is not as it should be"}`);
  };
}

/** An object of the store that cannot be what was once written. */
export function damaged(key: string, what: string, cause?: unknown): ConvoyError {
  return new ConvoyError("BACKUP_DAMAGED", `${key} in objectstore is damaged: ${what}`, {
    cause,
    hint: "Copy that file back from another copy of the store; nothing was read from it or deleted.",
  });
}

/** An object of the store that names things which Convoy would never have written there. */
export function forged(key: string, what: string): ConvoyError {
  return new ConvoyError("FORGED", `${key} in objectstore is refused: ${what}`, {
    hint: "Convoy never writes this. Find out who changed the store; nothing was read from it or deleted.",
  });
}
