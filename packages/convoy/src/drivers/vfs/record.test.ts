import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { operation, spec } from "../driver-contract.ts";
import { originalRecord, Scratch } from "./harness.ts";
import { checkRecord } from "./record.ts";

let scratch: Scratch;
beforeEach(async () => {
  scratch = await Scratch.make("/dev/shm");
});
afterEach(() => scratch.remove());

const field = fc.constantFrom("Name", "Size", "Path", "MountPoint", "PrepareForVM", "CreatedTime", "Snapshots");

test("R31: whatever JSON stands in a record, it is judged and never throws anything but words", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const wrong = checkRecord(value);
      expect(wrong === undefined || typeof wrong === "string").toBe(true);
    }),
  );
});

test("R31: a record with one field of any other type or value is refused or still names its own directory", () => {
  fc.assert(
    fc.property(field, fc.jsonValue(), (name, value) => {
      const record = { ...originalRecord("vol1", "/srv"), [name]: value } as Record<string, unknown>;
      if (checkRecord(record) !== undefined) return;
      expect(String(record["Path"]).endsWith(`/${record["Name"]}`)).toBe(true);
      expect(record["Name"]).not.toMatch(/^\.|\//);
    }),
  );
});

test("R2: random text in place of records never hides a good volume", async () => {
  const driver = await scratch.driver();
  await driver.create(spec("good"), operation());
  await fc.assert(
    fc.asyncProperty(fc.string(), async (text) => {
      await scratch.writeRecord("bad", text);
      const listed = await driver.list();
      expect(listed.find((volume) => volume.name === "good")?.problem).toBeUndefined();
      expect(listed.find((volume) => volume.name === "bad")?.problem).toContain("vfs_volume_bad.json");
    }),
    { numRuns: 30 },
  );
});

test("R1: unknown fields survive mount and umount, whatever they hold", async () => {
  const driver = await scratch.driver();
  await driver.create(spec("vol1"), operation());
  const record = await scratch.record("vol1");
  const extra = fc.dictionary(fc.stringMatching(/^X[a-z]{1,8}$/), fc.jsonValue(), { maxKeys: 3 });
  await fc.assert(
    fc.asyncProperty(extra, async (fields) => {
      await scratch.writeRecord("vol1", { ...record, ...fields });
      await driver.mount("vol1", { mountPoint: "", holder: { kind: "manual", id: "" } });
      await driver.umount("vol1", { holder: { kind: "manual", id: "" }, force: false, forceRoot: "" });
      expect(await scratch.record("vol1")).toMatchObject(JSON.parse(JSON.stringify(fields)));
    }),
    { numRuns: 20 },
  );
});
