import { existsSync } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { skipFor } from "../../../../../test/lab/apt.ts";
import { succeed } from "../../../../../test/lab/run.ts";
import { operation, spec } from "../driver-contract.ts";
import { Scratch } from "./harness.ts";

const notRoot = skipFor(process.getuid?.() === 0 ? undefined : "only root can mount a small tmpfs");

let mountPoint: string;
let scratch: Scratch;
beforeEach(async () => {
  if (notRoot) return;
  mountPoint = await mkdtemp(join(tmpdir(), "convoy-full-"));
  await succeed("mount", ["-t", "tmpfs", "-o", "size=2m", "convoy-test", mountPoint]);
  scratch = await Scratch.make(mountPoint);
});
afterEach(async () => {
  if (notRoot) return;
  await scratch.remove();
  await succeed("umount", [mountPoint]);
  await rm(mountPoint, { recursive: true });
});

/** Writes until not a single page is left. */
async function fill(path: string): Promise<void> {
  const handle = await open(path, "w");
  try {
    for (;;) await handle.write(Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    await handle.close();
  }
}

test.skipIf(notRoot)(
  "a full file system can be emptied: snapshots and volumes are deleted, and it says why others fail",
  async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    await driver.create(spec("vol2"), operation());
    await writeFile(scratch.at("volumes/vol1/file"), "data");
    await driver.createSnapshot!("vol1", "snap", operation());
    await fill(scratch.at("volumes/vol2/filler"));
    await expect(driver.create(spec("vol3"), operation())).rejects.toMatchObject({ code: "NO_SPACE" });
    await driver.deleteSnapshot!("vol1", "snap", operation());
    await driver.delete("vol2", { reference: false }, operation());
    expect(existsSync(scratch.at("volumes/vol2"))).toBe(false);
    expect((await driver.list()).map((volume) => volume.name)).toEqual(["vol1"]);
    await driver.create(spec("vol3"), operation());
  },
);
