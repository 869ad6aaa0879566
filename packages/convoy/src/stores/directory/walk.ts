import { errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { throwIfAborted } from "../cancel.ts";
import type { ObjectInfo } from "../store.ts";
import { directoryError } from "./errors.ts";

/** So many stat calls at a time; more would only take the thread pool from others. */
const BATCH = 32;

/**
 * All regular files below a directory, as objects. What vanishes meanwhile was deleted and is left out; anything else
 * that cannot be read fails the listing. Links, FIFOs and devices are not objects.
 * @param prefix key of the directory
 */
export async function* walk(
  directory: Dir,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo, void> {
  throwIfAborted(signal);
  try {
    const entries = await directory.listTypes();
    const files = entries.filter((entry) => entry.isFile());
    for (let start = 0; start < files.length; start += BATCH) {
      throwIfAborted(signal);
      const names = files.slice(start, start + BATCH).map((entry) => entry.name);
      const stats = await Promise.all(names.map((name) => directory.stat(name)));
      for (const [index, stat] of stats.entries()) {
        if (!stat?.isFile()) continue;
        yield {
          key: `${prefix}/${names[index]!}`,
          size: Number(stat.size),
          modified: new Date(Number(stat.mtimeMs)),
        };
      }
    }
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const sub = await openUnlessGone(directory, entry.name);
      if (sub === undefined) continue;
      try {
        yield* walk(sub, `${prefix}/${entry.name}`, signal);
      } finally {
        await sub.close();
      }
    }
  } catch (error) {
    throw directoryError(error, "list", directory.path);
  }
}

async function openUnlessGone(directory: Dir, name: string): Promise<Dir | undefined> {
  try {
    return await directory.sub(name);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
