import { readSync } from "node:fs";
import { ConvoyError, errnoOf } from "../../../errors.ts";
import * as sys from "../../../host/sys.ts";
import { shown } from "../errors.ts";
import { openDeep } from "../open-deep.ts";
import type { FileSlice } from "./piece.ts";

/** The snapshot is no longer what its manifest recorded (R16): nothing of it may pass for a good backup. */
export function snapshotChanged(path: Uint8Array, detail: string, cause?: unknown): ConvoyError {
  return new ConvoyError("BACKUP_DAMAGED", `The snapshot's file ${shown(path)} is damaged: ${detail}`, {
    hint: "Nothing was backed up. Take a new snapshot of the volume and back that up; check the disk.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Opens a regular file of a snapshot and compares it with its manifest's entry. The caller closes it. */
export function openSnapshotFile(root: number, file: Pick<FileSlice, "path" | "size" | "mtimeNs">): number {
  let fd: number;
  try {
    fd = openDeep(root, Buffer.from(file.path), sys.O.RDONLY | sys.O.NONBLOCK | sys.O.NOFOLLOW);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ELOOP" || code === "ENOTDIR") {
      throw snapshotChanged(file.path, "it is missing", error);
    }
    throw error;
  }
  try {
    const stat = sys.fstat(fd);
    if ((stat.mode & sys.S.IFMT) !== sys.S.IFREG) throw snapshotChanged(file.path, "it is no longer a file");
    if (stat.size !== file.size) {
      throw snapshotChanged(file.path, `it has ${stat.size} bytes, recorded are ${file.size}`);
    }
    if (stat.mtimeNs !== file.mtimeNs) throw snapshotChanged(file.path, "its time is not the recorded one");
    return fd;
  } catch (error) {
    sys.close(fd);
    throw error;
  }
}

/** Fills `target` from byte `position` of the file on. */
export function readFully(fd: number, target: Uint8Array, position: number, path: Uint8Array): void {
  let done = 0;
  while (done < target.length) {
    let count: number;
    try {
      count = readSync(fd, target, done, target.length - done, position + done);
    } catch (error) {
      throw snapshotChanged(path, `byte ${position + done} cannot be read`, error);
    }
    if (count === 0) throw snapshotChanged(path, `it ends at byte ${position + done}`);
    done += count;
  }
}
