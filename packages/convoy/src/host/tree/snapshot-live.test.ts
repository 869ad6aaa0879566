import { appendFileSync, mkdirSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import * as sys from "../sys.ts";
import { ContentCopier } from "./copy-content.ts";
import { type CopiedFile, copyFile, createCopy, openFile } from "./copy-file.ts";
import { snapshotTree } from "./snapshot.ts";
import { makePlace, takeStepwise, testContext } from "./test-snapshot.ts";
import { openRoot } from "./walk.ts";

const PIECE = 1 << 20;

describe("R15: snapshots of a tree that is in use", () => {
  const scratch = scratchPerTest();

  /** Copies `name` while `onPiece` is called with the number of pieces copied so far. */
  async function copyWhile(
    source: string,
    name: string,
    onPiece: (pieces: number) => void,
  ): Promise<CopiedFile & { bytes: Buffer }> {
    const target = await scratch.directory("target");
    const [from, to] = [openRoot(source), openRoot(target)];
    let pieces = 0;
    const content = new ContentCopier({ reflink: false, onPiece: () => onPiece(++pieces) });
    const path = Buffer.from(name);
    try {
      const file = openFile(from, path, path)!;
      const copied = copyFile({ from: file.fd, to: createCopy(to, path, file), path, stat: file.stat }, content);
      const bytes = await readFile(join(target, name));
      expect(bytes.length).toBe(copied.entry.size);
      return { ...copied, bytes };
    } finally {
      sys.close(from);
      sys.close(to);
    }
  }

  test("a file that changes once while it is copied is read again, and then as it is", async () => {
    const source = await scratch.directory("source");
    const file = join(source, "file");
    writeFileSync(file, Buffer.alloc(3 * PIECE, "old"));
    let read = 0;
    const copied = await copyWhile(source, "file", (pieces) => {
      read = pieces;
      if (pieces === 2) writeFileSync(file, Buffer.alloc(3 * PIECE + 10, "new"));
    });
    expect(copied.stable).toBe(true);
    expect(copied.bytes.equals(Buffer.alloc(3 * PIECE + 10, "new"))).toBe(true);
    expect(read).toBe(3 + 4);
  });

  test("a file that changes every time is read four times and kept as read", async () => {
    const source = await scratch.directory("source");
    const file = join(source, "file");
    writeFileSync(file, Buffer.alloc(2 * PIECE));
    let read = 0;
    const copied = await copyWhile(source, "file", () => {
      read++;
      utimesSync(file, read, read);
    });
    expect(copied.stable).toBe(false);
    expect(read).toBe(4 * 2);
  });

  test("a file that is replaced by another one meanwhile is one of the two, not a mixture", async () => {
    const source = await scratch.directory("source");
    writeFileSync(join(source, "file"), Buffer.alloc(2 * PIECE, "a"));
    writeFileSync(join(source, "other"), Buffer.alloc(2 * PIECE, "b"));
    for (const name of ["file", "other"]) utimesSync(join(source, name), 1, 1);
    const { ino } = sys.lstatat(sys.AT_FDCWD, join(source, "file"));
    const copied = await copyWhile(source, "file", (pieces) => {
      if (pieces === 1) renameSync(join(source, "other"), join(source, "file"));
    });
    expect(copied.stable).toBe(true);
    expect(copied.bytes.equals(Buffer.alloc(2 * PIECE, "a"))).toBe(true);
    expect(copied.entry.source!.ino).toBe(ino);
  });

  test("a file that shrinks every time is kept with the bytes that were there", async () => {
    const source = await scratch.directory("source");
    const file = join(source, "file");
    let size = 16 * PIECE;
    writeFileSync(file, Buffer.alloc(size, "x"));
    const copied = await copyWhile(source, "file", () => {
      size = Math.max(PIECE, size - PIECE);
      writeFileSync(file, Buffer.alloc(size, "x"));
    });
    expect(copied.stable).toBe(false);
  });

  test("a log that is written all the time: the snapshot succeeds, names it and holds a beginning of it", async () => {
    const source = await scratch.directory("source");
    const file = join(source, "busy.log");
    await writeFile(file, Buffer.alloc(32 << 20, "line\n"));
    await writeFile(join(source, "quiet"), "quiet");
    const place = await makePlace(scratch);
    let writing = true;
    const writer = (async () => {
      while (writing) {
        appendFileSync(file, "another line\n");
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const result = await snapshotTree({ source, ...place }, testContext()).finally(() => {
      writing = false;
    });
    await writer;
    expect(result).toMatchObject({ onePointInTime: false, unstable: ["busy.log"], unstableCount: 1 });
    const copy = await readFile(join(place.target, "busy.log"));
    const whole = await readFile(file);
    expect(copy.length).toBeGreaterThanOrEqual(32 << 20);
    expect(copy.equals(whole.subarray(0, copy.length))).toBe(true);
    expect(await readFile(join(place.target, "quiet"), "utf8")).toBe("quiet");
  });

  test("files that appear behind the walk are found when the directory is listed again", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "sub"));
    await writeFile(join(source, "sub/file"), "x");
    const { result, target, entries } = await takeStepwise(scratch, source, (step) => {
      // The walk is in `sub` by now.
      if (step === 1) {
        writeFileSync(join(source, "late"), "late");
        mkdirSync(join(source, "late-dir"));
        writeFileSync(join(source, "late-dir/file"), "later");
      }
    });
    expect((await readdir(target)).sort()).toEqual(["late", "late-dir", "sub"]);
    expect(await readFile(join(target, "late-dir/file"), "utf8")).toBe("later");
    expect([...entries.keys()]).toEqual(["", "sub", "sub/file", "late", "late-dir", "late-dir/file"]);
    expect(result.onePointInTime).toBe(true);
  });

  test("a file that is moved from ahead of the walk to behind it is not lost", async () => {
    const source = await scratch.directory("source");
    for (const name of ["a", "z"]) await mkdir(join(source, name));
    await writeFile(join(source, "z/precious"), "precious");
    await writeFile(join(source, "a/file"), "x");
    const { target } = await takeStepwise(scratch, source, (step) => {
      if (step === 3) renameSync(join(source, "z/precious"), join(source, "a/precious"));
      if (step === 4) renameSync(join(source, "a/precious"), join(source, "precious"));
    });
    expect(await readFile(join(target, "precious"), "utf8")).toBe("precious");
  });

  test("a file that is removed after it was copied stays, and the directory is named", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "sub"));
    await writeFile(join(source, "early"), "early");
    const { result, target } = await takeStepwise(scratch, source, (step) => {
      if (step === 2) unlinkSync(join(source, "early"));
    });
    expect(await readFile(join(target, "early"), "utf8")).toBe("early");
    expect(result).toMatchObject({ onePointInTime: false, unstable: ["."] });
  });

  test("a file that is gone before it could be copied is no failure", async () => {
    const source = await scratch.directory("source");
    for (const name of ["a", "b", "c"]) await writeFile(join(source, name), name);
    const { result, target } = await takeStepwise(scratch, source, (step) => {
      if (step === 1) unlinkSync(join(source, "b"));
    });
    expect(await readdir(target)).toEqual(["a", "c"]);
    expect(result.onePointInTime).toBe(true);
  });

  test("a directory that becomes a link is not followed", async () => {
    const source = await scratch.directory("source");
    const outside = await scratch.directory("outside");
    await writeFile(join(outside, "secret"), "secret");
    await mkdir(join(source, "dir"));
    const { target, entries } = await takeStepwise(scratch, source, (step) => {
      if (step !== 0) return;
      rmSync(join(source, "dir"), { recursive: true });
      sys.symlinkat(outside, sys.AT_FDCWD, join(source, "dir"));
    });
    expect(entries.get("dir")!.type).toBe("symlink");
    expect(sys.readlinkat(sys.AT_FDCWD, join(target, "dir")).toString()).toBe(outside);
  });

  test("a directory that never comes to rest ends the snapshot all the same", async () => {
    const source = await scratch.directory("source");
    const { result } = await takeStepwise(scratch, source, (step) => writeFileSync(join(source, `file${step}`), ""));
    expect(result).toMatchObject({ onePointInTime: false, unstable: ["."] });
    expect(result.files).toBeGreaterThanOrEqual(4);
  });

  test("a deep directory that is moved away while the walk is below it ends what is left of it only", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "top", "d/".repeat(200)), { recursive: true });
    await writeFile(join(source, "zebra"), "last");
    const { result, target } = await takeStepwise(scratch, source, (step) => {
      if (step === 202) renameSync(join(source, "top/d/d"), join(source, "moved"));
    });
    expect(result.onePointInTime).toBe(false);
    expect(result.unstable).toContain("top/d");
    expect(await readFile(join(target, "zebra"), "utf8")).toBe("last");
  });
});
