import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Daemon } from "../lab/daemon.ts";
import { OriginalState } from "../lab/original.ts";
import { scratchPerTest } from "../lab/scratch.ts";

describe("ten thousand volumes", () => {
  const scratch = scratchPerTest();

  test("all are listed, to people and to Docker, and one more can be made", async () => {
    const base = await scratch.directory("scale");
    await mkdir(join(base, "root"));
    const state = await OriginalState.make(join(base, "root"), join(base, "vfs"));
    const names = Array.from({ length: 10_000 }, (_, number) => `vol-${String(number).padStart(5, "0")}`);
    for (const name of names) await state.volume(name);

    const daemon = await Daemon.start(scratch, { root: state.root, path: state.path, configured: true });

    expect(await daemon.volumes()).toEqual(names);
    const { body } = await daemon.rest("POST", "/VolumeDriver.List", {});
    expect((JSON.parse(body) as { Volumes: object[] }).Volumes).toHaveLength(10_000);
    expect((await daemon.json("inspect", "vol-07777"))["Name"]).toBe("vol-07777");
    await daemon.ok("create", "one-more");
    await daemon.ok("delete", "vol-00000");
    expect((await daemon.volumes()).length).toBe(10_000);
  });
});
