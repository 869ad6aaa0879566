import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { until } from "../../../../../test/lab/run.ts";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { describeTree, pattern } from "../../../../../test/lab/tree.ts";
import * as sys from "../sys.ts";
import { ASSISTANT_SHARED_BYTES, Assistant, assistantFailed } from "./assistant.ts";
import { type CopiedFile, createCopy, type FileCopy, openFile } from "./copy-file.ts";
import { treeWorkers } from "./tasks.ts";
import { openDescriptors, take } from "./test-snapshot.ts";
import { openRoot } from "./walk.ts";

describe("the second thread of large snapshots", () => {
  const scratch = scratchPerTest();

  /** A running assistant, and how to hand a file of `source` over. */
  async function start() {
    const [source, target] = [await scratch.directory("source"), await scratch.directory("target")];
    const { port1: port, port2: otherPort } = new MessageChannel();
    const shared = new SharedArrayBuffer(ASSISTANT_SHARED_BYTES);
    const ended = new AbortController();
    const options = { signal: ended.signal, transfer: [otherPort] };
    const running = treeWorkers.run("assist", { port: otherPort, shared }, options);
    const assistant = new Assistant({ port, shared });
    await until("the thread to be ready", () => assistant.canTake(1));
    const open = (name: string): FileCopy => {
      const [from, to, path] = [openRoot(source), openRoot(target), Buffer.from(name)];
      try {
        const file = openFile(from, path, path)!;
        return { from: file.fd, to: createCopy(to, path, file), path, stat: file.stat };
      } finally {
        sys.close(from);
        sys.close(to);
      }
    };
    const end = async () => {
      ended.abort();
      await running;
    };
    return { source, target, shared, assistant, open, end };
  }

  test("copies files that were handed over, with everything, and closes them", async () => {
    const { source, target, assistant, open, end } = await start();
    const before = await openDescriptors();
    const content = pattern(3 << 20, 1);
    await writeFile(join(source, "größe"), content, { mode: 0o4755 });
    const done: CopiedFile[] = [];
    assistant.give(open("größe"), (copied) => done.push(copied));
    while (assistant.isBusy) assistant.wait();
    await end();
    expect(done).toMatchObject([{ stable: true, entry: { path: Buffer.from("größe"), size: 3 << 20 } }]);
    expect((await readFile(join(target, "größe"))).equals(content)).toBe(true);
    expect(assistant.bytesDone).toBe(3 << 20);
    expect(await openDescriptors()).toEqual(before);
  });

  test("reports a failure with the file's name", async () => {
    const { source, assistant, open, end } = await start();
    await writeFile(join(source, "file"), "content");
    const copy = open("file");
    sys.close(copy.to);
    copy.to = sys.openat(sys.AT_FDCWD, "/dev/full", sys.O.WRONLY);
    assistant.give(copy, () => {});
    expect(() => {
      while (assistant.isBusy) assistant.wait();
    }).toThrow(/no space is left.*'file'/);
    await end();
  });

  test("closes what was handed over and is not wanted any more", async () => {
    const { source, assistant, open, end } = await start();
    const before = await openDescriptors();
    for (let index = 0; index < 10; index++) await writeFile(join(source, `file${index}`), pattern(1 << 20, index));
    for (let index = 0; index < 10; index++) assistant.give(open(`file${index}`), () => {});
    await end();
    expect(await openDescriptors()).toEqual(before);
  });

  test("takes a limited number of bytes at a time, but any single file", async () => {
    const { source, assistant, open, end } = await start();
    await writeFile(join(source, "big"), pattern(8 << 20, 1));
    expect(assistant.canTake(1 << 40)).toBe(true);
    assistant.give(open("big"), () => {});
    expect(assistant.canTake(1)).toBe(false);
    while (assistant.isBusy) assistant.wait();
    expect(assistant.canTake(1)).toBe(true);
    await end();
  });

  test("does not leave the walk waiting for ever when it is gone", async () => {
    const { source, shared, assistant, open, end } = await start();
    await end();
    await writeFile(join(source, "file"), "content");
    const copy = open("file");
    assistant.give(copy, () => {});
    assistantFailed(shared);
    expect(() => assistant.wait()).toThrow("ended unexpectedly");
    expect(assistant.canTake(1)).toBe(false);
    sys.close(copy.from);
    sys.close(copy.to);
  });

  test("a snapshot made by both is the same, and its manifest has the order of the walk", async () => {
    const source = await scratch.directory("source");
    const names: string[] = [""];
    for (let directory = 0; directory < 8; directory++) {
      await mkdir(join(source, `dir${directory}`));
      names.push(`dir${directory}`);
      for (let index = 0; index < 20; index++) {
        const name = `dir${directory}/file${String(index).padStart(2, "0")}`;
        await writeFile(join(source, name), pattern(index % 3 === 0 ? 100 : (300 + index) << 10, index));
        names.push(name);
      }
    }
    const { target, entries, result } = await take(scratch, source, { reflink: "never" });
    expect([...entries.keys()]).toEqual(names);
    expect(await describeTree(target)).toEqual(await describeTree(source));
    expect(result).toMatchObject({ files: 160, onePointInTime: true });
    for (const entry of entries.values()) if (entry.type === "file") expect(entry.checksum).toMatch(/^[0-9a-f]{64}$/);
  });
});
