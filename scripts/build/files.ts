import { createHash } from "node:crypto";
import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A file of a bundle: its path below the target directory, and what is in it. */
export interface BuiltFile {
  path: string;
  contents: Uint8Array;
}

/** Writes files so that a program that reads one meanwhile sees the old or the new one, whole. */
export function writeFiles(directory: string, files: readonly BuiltFile[]): void {
  for (const { path, contents } of files) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}.tmp`;
    writeFileSync(temporary, contents);
    renameSync(temporary, file);
  }
}

/** Twelve hex digits that stand for the names and contents of the files. */
export function contentId(files: readonly BuiltFile[]): string {
  const hash = createHash("sha256");
  for (const { path, contents } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${path}\0${contents.length}\0`).update(contents);
  }
  return hash.digest("hex").slice(0, 12);
}

/** Sets the modification time of a file or directory. */
export function touch(path: string, time: Date): void {
  utimesSync(path, time, time);
}

/** Total size in words. */
export function sizeOf(files: readonly BuiltFile[]): string {
  const bytes = files.reduce((sum, file) => sum + file.contents.length, 0);
  return `${Math.ceil(bytes / 1024)} KiB`;
}
