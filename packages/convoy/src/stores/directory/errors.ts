import { getSystemErrorMessage } from "node:util";
import { ConvoyError, errnoOf, messageOf } from "../../errors.ts";

/**
 * Turns a failed system call below a store's base into an error for the user, with the real path instead of the
 * handle's. A ConvoyError passes unchanged.
 * @param action what was being done, as in "cannot <action> <path>"
 */
export function directoryError(error: unknown, action: string, path: string): ConvoyError {
  if (error instanceof ConvoyError) return error;
  const code = errnoOf(error);
  const errno = (error as NodeJS.ErrnoException | undefined)?.errno;
  const why =
    code === undefined || errno === undefined ? messageOf(error) : `${getSystemErrorMessage(errno)} (${code})`;
  const message = `Cannot ${action} ${path}: ${why}`;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new ConvoyError("NO_SPACE", message, {
        cause: error,
        hint: "Make room there (old backups go with `convoy backup delete`) and try again.",
      });
    case "ENOTDIR":
    case "ELOOP":
      return new ConvoyError("FORGED", message, {
        cause: error,
        hint: "Links below a store are not followed; find out who put it there and remove it.",
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new ConvoyError("STORE_FAILED", message, {
        cause: error,
        hint: "The daemon must be allowed to read the store, and to write it for creating and deleting backups.",
      });
    default:
      return new ConvoyError("STORE_FAILED", message, {
        cause: error,
        hint: "Look after the disk or share that the store lies on (`dmesg` may tell more), then try again.",
      });
  }
}

/** The store's directory itself is not there: never the same as an absent object (R19). */
export function baseMissing(path: string, cause?: unknown): ConvoyError {
  return new ConvoyError("UNREACHABLE", `VFS path ${path} doesn't exist or is not a directory`, {
    cause,
    hint: "Make the directory, or mount the disk or share that it lies on; Convoy never makes a store's directory by itself.",
  });
}
