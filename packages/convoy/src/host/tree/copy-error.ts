import { ConvoyError, errnoOf, messageOf } from "../../errors.ts";
import { shown } from "./walk.ts";

/** What a user is told when copying `path` of a tree failed. */
export function copyError(error: unknown, path: Buffer): ConvoyError {
  if (error instanceof ConvoyError) return error;
  const code = errnoOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    const what = code === "ENOSPC" ? "no space is left" : "the disk quota is used up";
    return new ConvoyError("NO_SPACE", `${what} on the snapshot's file system; it ended at '${shown(path)}'`, {
      cause: error,
      hint: "Delete snapshots that are not needed any more, or make the file system larger.",
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new ConvoyError("UNSUPPORTED", `'${shown(path)}' cannot be copied: ${messageOf(error)}`, {
      cause: error,
      hint: "Run the daemon as root, or give its user the right to read everything in the volume.",
    });
  }
  return new ConvoyError("INTERNAL", `'${shown(path)}' cannot be copied: ${messageOf(error)}`, {
    cause: error,
    hint: "The kernel's log (dmesg) may say more about a failing disk or share.",
  });
}
