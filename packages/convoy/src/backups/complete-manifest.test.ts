import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ManifestEntry, ManifestWriter, readManifest } from "../host/tree/manifest.ts";
import { snapshotTree } from "../host/tree/snapshot.ts";
import { contextOf, Place, subjectOf } from "./engine.fixture.ts";
import type { TreeSource } from "./source.ts";

let place: Place;
let source: TreeSource;
beforeEach(async () => {
  place = await Place.make();
  const original = join(place.path, "volume");
  for (const directory of ["a", "b/c"]) await mkdir(join(original, directory), { recursive: true });
  await writeFile(join(original, "a/empty"), "");
  await writeFile(join(original, "a/text"), "hello");
  await writeFile(join(original, "b/c/big"), "0123456789".repeat(500_000));
  await mkdir(join(place.path, "snapshot/tree"), { recursive: true, mode: 0o700 });
  const directory = join(place.path, "snapshot/tree");
  const manifest = join(place.path, "snapshot/manifest");
  await snapshotTree({ source: original, target: directory, manifest, reflink: "never" }, contextOf());
  source = { kind: "tree", directory, manifest, close: async () => undefined };
});
afterEach(() => place.end());

async function checksums(): Promise<[string, string | undefined][]> {
  const found: [string, string | undefined][] = [];
  for await (const { path, type, checksum } of readManifest(source.manifest)) {
    if (type === "file") found.push([path.toString(), checksum]);
  }
  return found;
}

/** What a snapshot that shares its blocks with the volume has: nobody has read the files yet. */
async function forgetChecksums(): Promise<void> {
  const entries: ManifestEntry[] = [];
  for await (const entry of readManifest(source.manifest)) entries.push(entry);
  const writer = new ManifestWriter(source.manifest);
  writer.begin({ startedNs: 1234567890n });
  for (const { checksum: _, ...entry } of entries) writer.add(entry);
  writer.finish();
}

const backUp = () =>
  place.engine().create({ url: place.url, endpoint: "", initStore: false, subject: subjectOf(), source }, contextOf());

test("R16: the first backup records the checksums of files that were never read before", async () => {
  const known = await checksums();
  await forgetChecksums();
  expect((await checksums()).every(([, checksum]) => checksum === undefined)).toBe(true);
  await backUp();
  const completed = await checksums();
  expect(completed.filter(([path]) => path !== "a/empty")).toEqual(known.filter(([path]) => path !== "a/empty"));
  expect(await readFile(source.manifest, "utf8")).toContain('"startedNs":"1234567890"');
  expect(await readdir(join(place.path, "snapshot"))).toEqual(["manifest", "tree"]);
});

test("R16: the next backup notices content that changed since, though size and time did not", async () => {
  await forgetChecksums();
  await backUp();
  const path = join(source.directory, "a/text");
  const reference = join(place.path, "reference");
  execFileSync("touch", ["-r", path, reference]);
  await writeFile(path, "jello");
  execFileSync("touch", ["-r", reference, path]);
  await expect(backUp()).rejects.toMatchObject({ message: expect.stringMatching(/a\/text.*checksum/) });
});
