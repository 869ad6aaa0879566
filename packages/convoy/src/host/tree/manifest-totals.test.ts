import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ManifestWriter } from "./manifest.ts";
import { readManifestTotals } from "./manifest-totals.ts";

let directory: string;
let manifest: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "convoy-totals-"));
  manifest = join(directory, "manifest");
});
afterEach(() => rm(directory, { recursive: true }));

function write(files: number) {
  const common = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 1n };
  const writer = new ManifestWriter(manifest);
  writer.begin({});
  writer.add({ ...common, path: Buffer.alloc(0), type: "directory", size: 0 });
  for (let index = 0; index < files; index++) {
    writer.add({ ...common, path: Buffer.from(`file${index}`), type: "file", size: 1000, checksum: "a".repeat(64) });
  }
  return writer.finish();
}

test.each([0, 1, 1000])("the end of a manifest of %i files is what its writer said", async (files) => {
  const written = write(files);
  expect(written).toEqual({ entries: files + 1, bytes: files * 1000 });
  expect(await readManifestTotals(manifest)).toEqual(written);
});

test("a truncated or foreign file says nothing", async () => {
  write(10);
  await truncate(manifest, 500);
  expect(await readManifestTotals(manifest)).toBeUndefined();
  await writeFile(manifest, "");
  expect(await readManifestTotals(manifest)).toBeUndefined();
});
