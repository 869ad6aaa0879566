import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { skipFor } from "../../../../test/lab/apt.ts";
import { succeed } from "../../../../test/lab/run.ts";
import { hasLocalLocksOnly, isWithin, mountOf, mountsWithin, parseMountinfo, readMounts } from "./mountinfo.ts";

const TABLE = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
40 22 0:33 / /m/db rw,relatime shared:5 - tmpfs tmpfs rw,size=4k
41 22 0:34 / /m/db\\040data rw,relatime - tmpfs tmpfs rw
42 22 0:35 / /srv rw,relatime - nfs4 server:/export rw,vers=4.2,local_lock=none
43 22 0:36 / /old rw,relatime - nfs server:/old rw,vers=3,nolock
44 40 254:0 /var/x /m/db/sub rw - ext4 /dev/root rw
`;

test("R10: paths are compared whole: vol1 is not vol10, db is not dbdata", () => {
  const mounts = parseMountinfo(TABLE);
  expect(isWithin("/m/dbdata", "/m/db")).toBe(false);
  expect(isWithin("/m/db/x", "/m/db")).toBe(true);
  expect(isWithin("/m/db", "/m/db")).toBe(true);
  expect(mountOf("/m/dbdata", mounts)?.mountPoint).toBe("/");
  expect(mountOf("/m/db/sub/file", mounts)?.mountPoint).toBe("/m/db/sub");
  expect(mountsWithin("/m/db", mounts).map((mount) => mount.mountPoint)).toEqual(["/m/db", "/m/db/sub"]);
});

test("R10: blanks in mount points come back, and a bind mount tells the directory it shows", () => {
  const mounts = parseMountinfo(TABLE);
  expect(mounts[2]).toMatchObject({ mountPoint: "/m/db data", type: "tmpfs", device: "0:34" });
  expect(mounts[5]).toMatchObject({ root: "/var/x", device: "254:0", source: "/dev/root" });
});

test("R4: only NFS without network locks has local locks", () => {
  const locks = parseMountinfo(TABLE).map((mount) => [mount.mountPoint, hasLocalLocksOnly(mount)]);
  expect(Object.fromEntries(locks)).toMatchObject({ "/": false, "/srv": false, "/old": true });
});

const notRoot = skipFor(process.getuid?.() === 0 ? undefined : "only root can mount");

test.skipIf(notRoot)("R10: a real bind mount of the same device is seen", async () => {
  const path = await mkdtemp(join(tmpdir(), "convoy mount-"));
  await mkdir(join(path, "vol1"));
  await mkdir(join(path, "vol10"));
  await succeed("mount", ["--bind", join(path, "vol10"), join(path, "vol10")]);
  try {
    const mounts = await readMounts();
    expect(mountOf(join(path, "vol10"), mounts)?.mountPoint).toBe(join(path, "vol10"));
    expect(mountsWithin(join(path, "vol1"), mounts)).toEqual([]);
  } finally {
    await succeed("umount", [join(path, "vol10")]);
    await rm(path, { recursive: true });
  }
});
