import { expect, test } from "vitest";
import { unescapeBackupUrl } from "./urls.ts";

const PLAIN = "vfs:///b?backup=backup-1&volume=vol1";

test.each([PLAIN, "vfs:///b?backup=backup-1\\u0026volume=vol1", "vfs:///b?backup=backup-1u0026volume=vol1"])(
  "%s means the plain URL",
  (printed) => {
    expect(unescapeBackupUrl(printed)).toBe(PLAIN);
  },
);

test("parameters in the other order", () => {
  expect(unescapeBackupUrl("vfs:///b?volume=v1\\u0026backup=b1")).toBe("vfs:///b?volume=v1&backup=b1");
});

test("DEFECT a bucket or path that contains u0026 was damaged", () => {
  const url = "s3://u0026bucket@r/u0026volume=x/?backup=b1&volume=v1";
  expect(unescapeBackupUrl(url)).toBe(url);
});

test("a name that contains u0026 stays", () => {
  expect(unescapeBackupUrl("vfs:///b?backup=au0026b&volume=v1")).toBe("vfs:///b?backup=au0026b&volume=v1");
});

test("a destination without a query stays", () => {
  expect(unescapeBackupUrl("vfs:///u0026volume=")).toBe("vfs:///u0026volume=");
});
