import { ConvoyError, errnoOf } from "../../errors.ts";
import { Dir } from "../../host/dir.ts";
import { baseMissing, directoryError } from "./errors.ts";

/** Opening the base takes no longer on a share that answers. */
const OPEN_LIMIT_MS = 30_000;

/**
 * Opens a store's base directory; it is never made.
 * @throws UNREACHABLE if it is not there or does not answer in time
 */
export async function openBase(path: string): Promise<Dir> {
  try {
    return await openInTime(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw baseMissing(path, error);
    throw directoryError(error, "open", path);
  }
}

async function openInTime(path: string): Promise<Dir> {
  const opening = Dir.open(path);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), OPEN_LIMIT_MS);
  });
  try {
    const first = await Promise.race([opening, late]);
    if (first !== "late") return first;
  } finally {
    clearTimeout(timer);
  }
  // Whenever it answers after all, the handle is given back.
  opening.then((dir) => dir.close()).catch(() => undefined);
  throw new ConvoyError("UNREACHABLE", `${path} did not answer within ${OPEN_LIMIT_MS / 1000} s`, {
    hint: "The disk or share that it lies on hangs; look after the mount or its server.",
  });
}
