import { ConvoyError } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { goJson } from "../../host/go-json.ts";

/**
 * Reads a small JSON object of ours from a shared place; undefined if absent.
 * @param check says whether the parsed object is what it should be; if not, RECORD_DAMAGED names the file.
 */
export async function readJson<T>(
  dir: Dir,
  name: string,
  check: (value: Record<string, unknown>) => boolean,
): Promise<T | undefined> {
  const text = await dir.readText(name, 16 << 20);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(dir, name, cause);
  }
  if (typeof value !== "object" || value === null || !check(value as Record<string, unknown>)) throw damaged(dir, name);
  return value as T;
}

/** Writes it durably. */
export function writeJson(dir: Dir, name: string, value: object): Promise<void> {
  return dir.write(name, `${goJson(value)}\n`);
}

function damaged(dir: Dir, name: string, cause?: unknown): ConvoyError {
  return new ConvoyError("RECORD_DAMAGED", `${dir.path}/${name} is damaged`, {
    cause,
    hint: "Move the file away to go on without what it says, or put it back from a backup.",
  });
}
