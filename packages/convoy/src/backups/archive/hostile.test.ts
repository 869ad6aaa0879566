import fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import * as sys from "../../host/sys.ts";
import type { TreeEntry } from "../../host/tree/entry.ts";
import { archiveOf, cannotTest, context, member, ROOT, renamed, run, stream } from "./archive.fixture.ts";
import { extractArchive } from "./index.ts";
import { aclFromText } from "./tar/acl.ts";

const scratch = scratchPerTest();
let place: string;
let directory: string;
let outside: string;

beforeEach(async () => {
  place = await scratch.directory("hostile");
  directory = join(place, "volume");
  outside = join(place, "outside");
  fs.mkdirSync(directory);
  fs.mkdirSync(outside);
  fs.writeFileSync(join(outside, "precious"), "untouched");
  fs.chmodSync(join(outside, "precious"), 0o600);
});

afterEach(() => {
  // Whatever an archive asked for: nothing beside the volume was made, changed or removed.
  expect(fs.readdirSync(place).sort()).toEqual(["outside", "volume"]);
  expect(fs.readdirSync(outside)).toEqual(["precious"]);
  expect(fs.readFileSync(join(outside, "precious"), "utf8")).toBe("untouched");
  const { mode, nlink } = fs.statSync(join(outside, "precious"));
  expect([mode & 0o7777, nlink]).toEqual([0o600, 1]);
});

function extract(...members: Buffer[]) {
  return extractArchive(
    { body: stream(archiveOf(ROOT, ...members)), target: { kind: "tree", directory, reserveBytes: 0 } },
    context(),
  );
}

const entry = (path: string, rest: Partial<TreeEntry> = {}, data = "") =>
  member({ path: Buffer.from(path), ...rest }, data);
const link = (path: string, target: string) => entry(path, { type: "symlink", target: Buffer.from(target) });
const dir = (path: string, rest: Partial<TreeEntry> = {}) => entry(path, { type: "directory", mode: 0o755, ...rest });
const hard = (path: string, target: string) => entry(path, { hardLinkTo: Buffer.from(target) });

const FORGED = { code: "FORGED" };
const DAMAGED = { code: "BACKUP_DAMAGED" };

describe.skipIf(cannotTest)("hostile archives", () => {
  describe("R27: nothing is written outside the volume", () => {
    test.each(["/tmp/absolute", "../outside/precious", "./a/../../outside/precious", ".."])(
      "the member name %s",
      async (name) => {
        await expect(extract(renamed(entry("x", {}, "evil"), "name", name))).rejects.toMatchObject(FORGED);
      },
    );

    test("a name with .. in a PAX header", async () => {
      const evil = entry(`${"../".repeat(40)}outside/precious`, {}, "evil");
      await expect(extract(evil)).rejects.toMatchObject(FORGED);
    });

    test("a hard link to a file outside", async () => {
      await expect(extract(renamed(hard("x", "y"), "link", `${outside}/precious`))).rejects.toMatchObject(FORGED);
      await expect(extract(renamed(hard("x", "y"), "link", "../outside/precious"))).rejects.toMatchObject(FORGED);
    });

    test("a file through a link that an earlier member made", async () => {
      await expect(extract(link("l", outside), entry("l/precious", {}, "evil"))).rejects.toMatchObject(FORGED);
      await expect(extract(link("m", "../outside"), entry("m/new", {}, "evil"))).rejects.toMatchObject(FORGED);
    });

    test("a directory, device, link or hard link through a link", async () => {
      const through = link("l", outside);
      await expect(extract(through, dir("l/new"))).rejects.toMatchObject(FORGED);
      await expect(extract(through, entry("l/new", { type: "fifo" }))).rejects.toMatchObject(FORGED);
      await expect(extract(through, link("l/new", "x"))).rejects.toMatchObject(FORGED);
      await expect(extract(through, entry("f"), hard("l/new", "f"))).rejects.toMatchObject(FORGED);
    });

    test("a hard link whose target is reached through a link", async () => {
      await expect(extract(link("l", outside), hard("x", "l/precious"))).rejects.toMatchObject(DAMAGED);
    });

    test("a file of the name of a link: the link is replaced, not followed", async () => {
      await extract(link("l", `${outside}/precious`), entry("l", {}, "mine"));
      expect(fs.lstatSync(join(directory, "l")).isFile()).toBe(true);
      expect(fs.readFileSync(join(directory, "l"), "utf8")).toBe("mine");
    });

    test("a hard link to a link, then a file of its name", async () => {
      await extract(link("l", `${outside}/precious`), hard("h", "l"), entry("h", {}, "mine"));
      expect(fs.readFileSync(join(directory, "h"), "utf8")).toBe("mine");
      expect(fs.readlinkSync(join(directory, "l"))).toBe(`${outside}/precious`);
    });

    test("a link in place of a directory that was filled before: its metadata goes to no other place", async () => {
      await expect(extract(dir("d"), entry("d/f"), link("d", outside))).rejects.toMatchObject(DAMAGED);
    });

    test("the mode and owner of a link are its own", async () => {
      await extract(
        entry("l", { type: "symlink", target: Buffer.from(`${outside}/precious`), mode: 0o777, uid: 5, gid: 6 }),
      );
      expect(fs.lstatSync(join(directory, "l")).uid).toBe(5);
    });

    test("the root as a link or a file", async () => {
      await expect(extract(renamed(link("x", outside), "name", "./"))).rejects.toMatchObject(DAMAGED);
      await expect(extract(renamed(entry("x", {}, ""), "name", "."))).rejects.toMatchObject(DAMAGED);
    });
  });

  describe("tricks with devices and FIFOs", () => {
    test("a file of the name of a FIFO does not wait for a reader", async () => {
      await extract(entry("p", { type: "fifo" }), entry("p", {}, "data"));
      expect(fs.readFileSync(join(directory, "p"), "utf8")).toBe("data");
    });

    test("a file of the name of a device is not written into the device", async () => {
      const device = { type: "character" as const, device: { major: 1, minor: 7 } };
      // Character device 1:7 is /dev/full: a write into it fails.
      await extract(entry("full", device), entry("full", {}, "data"));
      expect(fs.readFileSync(join(directory, "full"), "utf8")).toBe("data");
    });

    test("a member below a device, a FIFO or a file is refused", async () => {
      await expect(extract(entry("p", { type: "fifo" }), entry("p/x", {}, "y"))).rejects.toMatchObject(FORGED);
      await expect(extract(entry("f"), entry("f/x", {}, "y"))).rejects.toMatchObject(FORGED);
    });
  });

  describe("members of one name", () => {
    test("the last of two files wins, and another name of the first keeps its content", async () => {
      await extract(entry("a", {}, "first"), hard("b", "a"), entry("a", {}, "second"));
      expect(fs.readFileSync(join(directory, "a"), "utf8")).toBe("second");
      expect(fs.readFileSync(join(directory, "b"), "utf8")).toBe("first");
    });

    test("a directory keeps its content and takes the last mode", async () => {
      await extract(dir("d", { mode: 0o700 }), entry("d/f", {}, "x"), dir("d", { mode: 0o750 }));
      expect(fs.statSync(join(directory, "d")).mode & 0o7777).toBe(0o750);
      expect(fs.readFileSync(join(directory, "d/f"), "utf8")).toBe("x");
    });

    test("a file in place of a directory, or the other way round, is refused", async () => {
      await expect(extract(dir("d"), entry("d", {}, "x"))).rejects.toMatchObject(DAMAGED);
      await expect(extract(entry("e"), dir("e"))).rejects.toMatchObject(DAMAGED);
    });

    test("a hard link to itself does not remove the file", async () => {
      await expect(extract(entry("a", {}, "x"), hard("a", "a"))).rejects.toMatchObject(DAMAGED);
      expect(fs.readFileSync(join(directory, "a"), "utf8")).toBe("x");
    });
  });

  test("a hard link to nothing, or to a directory, is refused by name", async () => {
    await expect(extract(hard("x", "missing"))).rejects.toMatchObject({
      ...DAMAGED,
      message: expect.stringContaining('"missing"'),
    });
    await expect(extract(dir("d"), hard("x", "d"))).rejects.toMatchObject(DAMAGED);
  });

  test("content before its directory is refused by name", async () => {
    await expect(extract(entry("d/f", {}, "x"))).rejects.toMatchObject({
      ...DAMAGED,
      message: expect.stringContaining('"d"'),
    });
  });

  test("a directory that the archive comes back to keeps its time and its default ACL, and lends it to nobody", async () => {
    const acl = aclFromText("user::rwx,user:77:rwx,group::r-x,mask::rwx,other::r-x");
    const mtimeNs = 123_000_000_456n;
    const xattrs = new Map([["system.posix_acl_default", acl]]);
    await extract(
      dir("d", { mtimeNs, xattrs }),
      dir("e"),
      entry("d/late", {}, "x"),
      dir("d/sub"),
      entry("e/f", {}, "y"),
    );
    expect(fs.statSync(join(directory, "d"), { bigint: true }).mtimeNs).toBe(mtimeNs);
    expect(sys.lxattrs(join(directory, "d"))).toEqual(xattrs);
    expect(sys.lxattrs(join(directory, "d/late"))).toEqual(new Map());
    expect(sys.lxattrs(join(directory, "d/sub"))).toEqual(new Map());
  });

  test("a default ACL of the place where a volume is restored reaches nothing in it", async () => {
    run("setfacl", "-m", "u:77:rwx,d:u:77:rwx", directory);
    await extract(dir("d"), entry("d/f", {}, "x"));
    for (const name of ["", "d", "d/f"]) expect(sys.lxattrs(join(directory, name))).toEqual(new Map());
  });
});
