import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildBackupUrl, parseBackupUrl, parseDestination, parseStoreUrl } from "./url.ts";

const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,60}$/);
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((value) => !value.includes("\0"));
const backup = "backup-15f155b2cc1b4211";

describe("destinations", () => {
  test.each([
    ["vfs:///opt/backup/", { scheme: "vfs", path: "/opt/backup", url: "vfs:///opt/backup" }],
    ["vfs:///opt/backup", { scheme: "vfs", path: "/opt/backup", url: "vfs:///opt/backup" }],
    ["vfs:/opt/backup", { scheme: "vfs", path: "/opt/backup", url: "vfs:///opt/backup" }],
    ["VFS:///opt//a/../b/", { scheme: "vfs", path: "/opt/b", url: "vfs:///opt/b" }],
    ["vfs:///mnt/my%20disk/", { scheme: "vfs", path: "/mnt/my disk", url: "vfs:///mnt/my disk" }],
    ["vfs:///a%3Fb", { scheme: "vfs", path: "/a?b", url: "vfs:///a%3Fb" }],
    ["vfs:///", { scheme: "vfs", path: "/", url: "vfs:///" }],
    [
      "s3://bkt@eu-west-1/a/b/",
      { scheme: "s3", bucket: "bkt", region: "eu-west-1", prefix: "a/b", url: "s3://bkt@eu-west-1/a/b/" },
    ],
    ["s3://bkt/path", { scheme: "s3", bucket: "bkt", region: "", prefix: "path", url: "s3://bkt/path" }],
    ["s3://bkt@r1/", { scheme: "s3", bucket: "bkt", region: "r1", prefix: "", url: "s3://bkt@r1/" }],
    ["s3://bkt//x//y", { scheme: "s3", bucket: "bkt", region: "", prefix: "x/y", url: "s3://bkt/x//y" }],
  ])("%s", (url, expected) => {
    expect(parseDestination(url)).toEqual(expected);
  });

  test.each([
    ["", "Destination URL hasn't been specified"],
    ["/opt/backup", "Driver  is not supported!"],
    ["ftp://host/x", "Driver ftp is not supported!"],
    ["vfs://opt/backup/", "VFS path must follow: vfs:///path/ format"],
    ["vfs://", "Cannot find vfs path"],
    ["vfs:", "Cannot find vfs path"],
    ["s3://b@r", "Invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path"],
    ["s3://bucket", "Invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path"],
    ["s3:///path", "Invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path"],
    ["s3://bkt@/path", "Invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path"],
    ["s3://bkt@r1/../other", "Invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path"],
    ["vfs:///a%zz", 'parse vfs:///a%zz: invalid URL escape "%zz"'],
  ])("refused: '%s'", (url, message) => {
    expect(() => parseDestination(url)).toThrow(expect.objectContaining({ code: "INVALID_URL", message }));
  });

  test("a backup's URL is no destination, but names its store", () => {
    const url = `vfs:///opt/backup/?backup=${backup}&volume=vol1`;
    expect(() => parseDestination(url)).toThrow("A destination has no '?' or '#'");
    expect(parseStoreUrl(url)).toMatchObject({ path: "/opt/backup", url: "vfs:///opt/backup" });
  });

  test("a password in the URL is refused and does not appear in the error", () => {
    const error = (() => {
      try {
        return parseDestination("s3://AKIA:geheim123@eu-west-1/path/");
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: "INVALID_URL" });
    expect(JSON.stringify(error) + String(error)).not.toContain("geheim123");
  });

  test("the rebuilt URL names the same place again", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), fc.constantFrom("", "/"), (parts, end) => {
        const path = `/${parts.join("/")}${end}`;
        const first = parseStoreUrl(`vfs://${path.replace(/[%?#]/g, encodeURIComponent)}`);
        expect(parseStoreUrl(first.url)).toEqual(first);
        expect(first).toMatchObject({ scheme: "vfs" });
      }),
    );
  });

  test("whatever is typed, it is taken apart or refused as an invalid URL", () => {
    fc.assert(
      fc.property(fc.tuple(fc.constantFrom("", "vfs://", "vfs:", "s3://", "s3:"), fc.string()), ([scheme, rest]) => {
        try {
          const store = parseStoreUrl(scheme + rest);
          if (store.scheme === "vfs") expect(store.path).toMatch(/^\//);
          else expect(store.prefix.split("/")).not.toContain("..");
        } catch (error) {
          expect(error).toMatchObject({ code: "INVALID_URL" });
        }
      }),
    );
  });
});

describe("backup URLs", () => {
  test("stand in the destination exactly as it was given", () => {
    expect(buildBackupUrl("vfs:///mnt/store", backup, "dbdata")).toBe(
      `vfs:///mnt/store?backup=${backup}&volume=dbdata`,
    );
    expect(parseBackupUrl(`vfs:///mnt/store?backup=${backup}&volume=dbdata`)).toEqual({
      destination: "vfs:///mnt/store",
      backup,
      volume: "dbdata",
    });
  });

  test.each(["\\u0026", "u0026", "&"])("with %s between the two", (separator) => {
    expect(parseBackupUrl(`s3://b@r/p/?backup=${backup}${separator}volume=vol1`)).toEqual({
      destination: "s3://b@r/p/",
      backup,
      volume: "vol1",
    });
  });

  test("u0026 outside the query is a part of the path", () => {
    expect(parseBackupUrl(`vfs:///mnt/u0026x/?backup=${backup}&volume=vol1`).destination).toBe("vfs:///mnt/u0026x/");
  });

  test.each([
    ["vfs:///b", "Invalid name parsed, got  and "],
    [`vfs:///b?backup=${backup}`, `Invalid name parsed, got ${backup} and `],
    ["vfs:///b?backup=../../x&volume=vol1", "Invalid name parsed, got ../../x and vol1"],
    [`vfs:///b?backup=${backup}&volume=v`, `Invalid name parsed, got ${backup} and v`],
    ["nope:///b?backup=b1&volume=v1", "Driver nope is not supported!"],
  ])("refused: %s", (url, message) => {
    expect(() => parseBackupUrl(url)).toThrow(expect.objectContaining({ code: "INVALID_URL", message }));
  });

  test("any two names come back, however the & was mangled", () => {
    fc.assert(
      fc.property(name, name, fc.constantFrom("&", "\\u0026", "u0026"), (backupName, volume, separator) => {
        const url = buildBackupUrl("s3://bucket@region/some/path", backupName, volume).replace("&", separator);
        expect(parseBackupUrl(url)).toMatchObject({ backup: backupName, volume });
      }),
    );
  });
});
