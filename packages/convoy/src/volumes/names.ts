import { randomUUID } from "node:crypto";
import { isValidName, MAX_SNAPSHOT_NAME, MAX_VOLUME_NAME } from "node-convoy/wire";
import { ConvoyError } from "../errors.ts";

const ALLOWED = "allowed are at least two of a-z, A-Z, 0-9, dash, underscore and dot, beginning with a letter or digit";

function invalid(name: string, hint: string): ConvoyError {
  return new ConvoyError("INVALID_NAME", `Invalid name ${name}`, { hint });
}

/** Checks the name of a new volume (R3). */
export function checkNewVolumeName(name: string): void {
  if (!isValidName(name)) throw invalid(name, `As a volume's name ${ALLOWED}.`);
  if (name.length > MAX_VOLUME_NAME) {
    throw invalid(name, `It has ${name.length} characters; a new volume's name may have ${MAX_VOLUME_NAME}.`);
  }
  if (name === "config") throw invalid(name, "'config' is the directory of the volumes' records. Choose another name.");
}

/** Checks the name of a new snapshot. */
export function checkNewSnapshotName(name: string): void {
  if (!isValidName(name)) throw invalid(name, `As a snapshot's name ${ALLOWED}.`);
  if (name.length > MAX_SNAPSHOT_NAME) {
    throw invalid(name, `It has ${name.length} characters; a new snapshot's name may have ${MAX_SNAPSHOT_NAME}.`);
  }
}

/**
 * Checks a name that is looked up. What an original or a hand made may be called almost anything and keeps working
 * (R3), so only what could leave its directory, or is one of our own names, is refused.
 */
export function checkLookupName(name: string): void {
  if (name === "" || name.startsWith(".") || /[/\0]/.test(name)) {
    throw invalid(name, `In names ${ALLOWED}.`);
  }
}

/** True if an unknown name is not even one that could exist: then the answer is "Invalid name", as in v0.5.2. */
export function couldExist(name: string): boolean {
  return isValidName(name);
}

export function invalidName(name: string): ConvoyError {
  return invalid(name, `In names ${ALLOWED}.`);
}

/** `volume-` and the first 16 hex digits of a random UUID, as v0.5.2 makes names up. */
export function generateName(kind: "volume" | "snapshot"): string {
  return `${kind}-${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}
