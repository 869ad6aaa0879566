import * as sys from "../../host/sys.ts";

/** Longest path handed to one system call; the kernel's limit is 4096 with the NUL. */
const STEP = 4000;

/**
 * Opens a path of any length below a directory, following no link at all and leaving the directory nowhere.
 * @param path Raw bytes without empty, `.` or `..` parts; empty for the directory itself.
 */
export function openDeep(directory: number, path: Buffer, flags: number): number {
  if (path.length === 0) return sys.openat(directory, ".", flags);
  if (path.length <= STEP) return sys.openBeneath(directory, path, flags);
  let current = directory;
  let rest = path;
  try {
    while (rest.length > STEP) {
      const slash = rest.lastIndexOf(0x2f, STEP);
      // A part longer than a step has no slash in reach: the kernel refuses it by name.
      if (slash <= 0) break;
      const next = sys.openBeneath(current, rest.subarray(0, slash), sys.O.PATH | sys.O.DIRECTORY);
      if (current !== directory) sys.close(current);
      current = next;
      rest = rest.subarray(slash + 1);
    }
    return sys.openBeneath(current, rest, flags);
  } finally {
    if (current !== directory) sys.close(current);
  }
}
