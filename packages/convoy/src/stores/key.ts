import { ConvoyError } from "../errors.ts";

/** A single component of a key. */
export function isKeyPart(part: string): boolean {
  return part !== "" && part !== "." && part !== ".." && !part.includes("/") && !part.includes("\0");
}

/**
 * Takes a key (or a prefix) apart. Callers build keys from validated names (R31), so anything else here is a bug, and
 * it is stopped before it can reach a path.
 */
export function keyParts(key: string): string[] {
  const parts = key.split("/");
  if (!parts.every(isKeyPart)) {
    throw new ConvoyError("INTERNAL", `'${key}' is not a key of a store`);
  }
  return parts;
}
