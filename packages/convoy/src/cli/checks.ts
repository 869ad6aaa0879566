import { ConvoyClientError } from "node-convoy";
import { isValidName, MAX_SNAPSHOT_NAME, MAX_VOLUME_NAME, parseSize, SIZE_HELP } from "node-convoy/wire";
import { ConvoyError } from "../errors.ts";
import type { Context } from "./command.ts";

type Kind = "volume" | "snapshot";
const LONGEST = { volume: MAX_VOLUME_NAME, snapshot: MAX_SNAPSHOT_NAME } as const;

/** Checks the name of something that is to be made. @throws {ConvoyError} INVALID_NAME */
export function checkNewName(kind: Kind, name: string): void {
  if (!isValidName(name) || name.length > LONGEST[kind]) throw invalidName(kind, name);
}

/**
 * Checks names of things that should exist, before anything is done to any of them. v0.5.2 let volumes be created
 * under names that it then refused everywhere; such a name is accepted if the daemon knows it.
 * @throws {ConvoyError} INVALID_NAME
 */
export async function checkExistingNames(context: Context, kind: Kind, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (isValidName(name)) continue;
    if (name === "." || name === ".." || /[/\0]/.test(name)) throw invalidName(kind, name);
    try {
      if (kind === "volume") await context.ask("GET", "/v1/volumes/", { VolumeName: name });
      else await context.ask("GET", "/v1/snapshots/", { SnapshotName: name });
    } catch (error) {
      const refused = error instanceof ConvoyClientError && (error.status === 400 || error.status === 404);
      throw refused ? invalidName(kind, name) : error;
    }
  }
}

function invalidName(kind: Kind, name: string): ConvoyError {
  return new ConvoyError("INVALID_NAME", `Invalid name ${name}`, {
    hint: `The name of a ${kind} has 2 to ${LONGEST[kind]} letters, digits, "_", "." or "-", and begins with a letter or digit.`,
  });
}

/** Reads a size. @returns bytes; 0 for an empty text. @throws {ConvoyError} INVALID_SIZE */
export function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) {
    throw new ConvoyError("INVALID_SIZE", `Invalid size "${text}": must be ${SIZE_HELP}`, {
      hint: "Write it without a fraction and with one letter at most: 1536m instead of 1.5G, 10G instead of 10GB.",
    });
  }
  return bytes;
}

/** Reads a whole number of 0 to `largest`. @throws {ConvoyError} INVALID_OPTION */
export function wholeNumber(flag: string, text: string, largest: number = Number.MAX_SAFE_INTEGER): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= largest)) {
    throw new ConvoyError("INVALID_OPTION", `Invalid value "${text}" for --${flag}: must be a whole number`, {
      hint: `Allowed for --${flag}: 0 to ${largest}.`,
    });
  }
  return value;
}
