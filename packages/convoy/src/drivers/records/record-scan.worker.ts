import { readSync } from "node:fs";
import * as sys from "../../host/sys.ts";
import { serveTasks } from "../../host/workers/serve.ts";
import { type FileMark, type ScannedFile, type ScanRequest, type ScanTasks, sameMark } from "./scan.ts";

serveTasks<ScanTasks>({ scan });

function scan({ fd, files, known, maxBytes }: ScanRequest): ScannedFile[] {
  const scanned: ScannedFile[] = [];
  for (const [index, file] of files.entries()) {
    try {
      const result = scanOne(fd, file, known[index], maxBytes);
      if (result !== undefined) scanned.push(result);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return scanned;
}

function scanOne(dirfd: number, file: string, known: FileMark | undefined, maxBytes: number): ScannedFile | undefined {
  const stats = sys.lstatat(dirfd, file);
  const mark = markOf(stats);
  if (known !== undefined && sameMark(known, mark)) return undefined;
  if ((stats.mode & sys.S.IFMT) !== sys.S.IFREG) return { file, mark, problem: "it is not a regular file" };
  // It may have been exchanged since: no link is followed, a FIFO does not block, and what was opened is looked at again.
  const fd = sys.openat(dirfd, file, sys.O.RDONLY | sys.O.NOFOLLOW | sys.O.NONBLOCK);
  try {
    const opened = sys.fstat(fd);
    if ((opened.mode & sys.S.IFMT) !== sys.S.IFREG) return { file, mark, problem: "it is not a regular file" };
    if (opened.size > maxBytes) return { file, mark, problem: `it has ${opened.size} bytes, more than ${maxBytes}` };
    return { file, mark: markOf(opened), text: readText(fd, opened.size) };
  } finally {
    sys.close(fd);
  }
}

function markOf(stats: sys.Stat): FileMark {
  return { ino: stats.ino, mtimeNs: stats.mtimeNs, ctimeNs: stats.ctimeNs, size: BigInt(stats.size) };
}

function readText(fd: number, size: number): string {
  const buffer = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const read = readSync(fd, buffer, length, size - length, length);
    if (read === 0) break;
    length += read;
  }
  return buffer.toString("utf8", 0, length);
}
