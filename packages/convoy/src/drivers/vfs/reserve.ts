import { ConvoyError, errnoOf, messageOf } from "../../errors.ts";
import type { VfsContext } from "./context.ts";
import type { OpenShare } from "./share.ts";

/**
 * Deleting writes, too: an intent, a record. On a full file system that would fail, and nothing could ever be deleted.
 * So a little space is kept in a file of its own, which is given up for a deletion.
 */
const FILE = "reserve";
const BYTES = 64 << 10;

/** Makes the reserve if it is missing and there is room; called by what fills the file system. */
export async function keepReserve(share: OpenShare): Promise<void> {
  if ((await share.state.stat(FILE)) !== undefined) return;
  await share.state.write(FILE, Buffer.alloc(BYTES)).catch((error: unknown) => {
    if (!isFull(error)) throw error;
  });
}

/** Runs what gives space back; if it fails because the file system is full, once more with the reserve. */
export async function withReserve<T>(context: VfsContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFull(error)) throw error;
    context.log.warn("the file system of the volumes is full: the reserve is given up for a deletion");
    await context.share.change((share) => share.state.remove(FILE));
  }
  return explainFull(context, work);
}

/** Says in plain words what ENOSPC means here. */
export async function explainFull<T>(context: VfsContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFull(error)) throw error;
    throw new ConvoyError("NO_SPACE", `The file system of ${context.share.path} is full: ${messageOf(error)}`, {
      cause: error,
      hint: "Delete snapshots or volumes that are not needed, or make the file system larger.",
    });
  }
}

function isFull(error: unknown): boolean {
  return errnoOf(error) === "ENOSPC" || errnoOf(error) === "EDQUOT";
}
