import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import fc from "fast-check";
import { NAME_PATTERN } from "node-convoy/wire";
import { describe, expect, test } from "vitest";
import { FIXTURES } from "../engine.fixture.ts";
import { type BackupCfg, decodeBackupCfg, encodeBackupCfg } from "./backup-cfg.ts";
import { parseFirstValue } from "./go-json-decode.ts";
import {
  archiveKey,
  backupCfgKey,
  backupOfCfgKey,
  isStoredName,
  lockDirectory,
  newBackupName,
  volumeDirectory,
  volumeOfDirectory,
} from "./layout.ts";
import { decodeVolumeCfg, encodeVolumeCfg } from "./volume-cfg.ts";

const bytes = (text: string) => Buffer.from(text);
const validName = fc.stringMatching(new RegExp(NAME_PATTERN)).filter((name) => name.length <= 200);
const storedName = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 60 }).filter(isStoredName);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const text = fc.string({ unit: "grapheme" });
const size = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe("layout", () => {
  test.each([
    ["dbdata", "convoy-objectstore/volumes/db/da/dbdata"],
    ["db", "convoy-objectstore/volumes/db/!!/db!!"],
    ["web", "convoy-objectstore/volumes/we/b!/web!"],
    ["r", "convoy-objectstore/volumes/r!/!!/r!!!"],
    ["ab..cd", "convoy-objectstore/volumes/ab..cd"],
  ])("%s lies in %s", (volume, directory) => {
    expect(volumeDirectory(volume)).toBe(directory);
  });

  test("every name lies below the volumes, in a place of its own, that is clean and leads back to it", () => {
    fc.assert(
      fc.property(fc.oneof(validName, storedName), storedName, (volume, other) => {
        const directory = volumeDirectory(volume);
        expect(directory.startsWith("convoy-objectstore/volumes/")).toBe(true);
        expect(posix.normalize(directory)).toBe(directory);
        expect(volumeOfDirectory(posix.basename(directory))).toBe(volume);
        if (other !== volume) {
          expect(volumeDirectory(other)).not.toBe(directory);
          expect(lockDirectory(other)).not.toBe(lockDirectory(volume));
        }
      }),
    );
  });

  test("R3: every valid name can be stored", () => {
    fc.assert(fc.property(validName, (name) => isStoredName(name)));
  });

  test.each(["", ".", "..", "../x", "a/b", "/etc", "a\0b", "..ab", "a!", "größe", "a\n"])(
    "R31: %j is no part of a path",
    (name) => {
      expect(name === "." || !isStoredName(name)).toBe(true);
      if (name === ".") expect(volumeDirectory(name)).toBe("convoy-objectstore/volumes/.!/!!/.!!!");
      else expect(() => volumeDirectory(name)).toThrow(expect.objectContaining({ code: "INVALID_NAME" }));
    },
  );

  test("the key of a cfg leads back to the backup, and nothing else is one", () => {
    fc.assert(
      fc.property(validName, validName, (volume, backup) => {
        expect(backupOfCfgKey(volume, backupCfgKey(volume, backup))).toBe(backup);
        expect(backupOfCfgKey(volume, `${backupCfgKey(volume, backup)}.tmp`)).toBeUndefined();
        expect(backupOfCfgKey(volume, archiveKey(volume, backup))).toBeUndefined();
      }),
    );
  });

  test("names of new backups are 16 digits of a random UUID of version 4", () => {
    const names = new Set(Array.from({ length: 1000 }, newBackupName));
    expect(names.size).toBe(1000);
    for (const name of names) expect(name).toMatch(/^backup-[0-9a-f]{12}4[0-9a-f]{3}$/);
  });
});

describe("the cfgs that v0.5.2 wrote come out byte for byte", () => {
  const directory = join(FIXTURES, "vfs/convoy-objectstore/volumes/fi/le/files");

  test("volume.cfg", async () => {
    const original = await readFile(join(directory, "volume.cfg"));
    const cfg = decodeVolumeCfg(original, "files");
    expect(cfg).toMatchObject({ name: "files", driver: "vfs", createdTime: "Fri Nov 20 07:11:10 +0000 2026" });
    expect(Buffer.from(encodeVolumeCfg(cfg))).toEqual(original);
  });

  test.each(["backup-5ff7a817e7a8447a", "backup-d64be23559b746b1"])("%s", async (backup) => {
    const original = await readFile(join(directory, "backups", `backup_${backup}.cfg`));
    const cfg = decodeBackupCfg(original, "files", backup);
    expect(cfg).toMatchObject({ snapshotName: expect.stringMatching(/^filesnap[12]$/) });
    expect(Buffer.from(encodeBackupCfg(cfg))).toEqual(original);
  });

  test("a list of blocks", () => {
    const original =
      '{"Name":"backup-1c35a3be9b6b421d","Driver":"","VolumeName":"db","SnapshotName":"shortsnap1","SnapshotCreatedAt":"Fri Nov 20 06:52:43 +0000 2026","CreatedTime":"Fri Nov 20 06:52:44 +0000 2026","Blocks":[{"Offset":0,"BlockChecksum":"9404fc834c11aadb8a110a9b10feed88113c4b28bd2292c701ff0e2511bb7351"},{"Offset":8388608,"BlockChecksum":"f445bc9b59296d9184f7969987503c82a75c945bfb475f05fa260a77f66393ec"}],"SingleFile":{"FilePath":""}}';
    const cfg = decodeBackupCfg(bytes(original), "db", "backup-1c35a3be9b6b421d");
    expect(cfg.blocks).toHaveLength(2);
    expect(Buffer.from(encodeBackupCfg(cfg)).toString()).toBe(original);
  });
});

describe("records", () => {
  test("volume.cfg comes back as it was written, unknown fields included", () => {
    const cfgs = fc.record({
      name: storedName,
      driver: text,
      size,
      createdTime: text,
      lastBackupName: text,
      unknown: fc.dictionary(fc.stringMatching(/^X[a-z]{1,9}$/), fc.jsonValue({ noUnicodeString: false })),
    });
    fc.assert(
      fc.property(cfgs, (cfg) => {
        const read = decodeVolumeCfg(encodeVolumeCfg(cfg), cfg.name);
        expect(JSON.stringify(read)).toBe(JSON.stringify(cfg));
      }),
    );
  });

  test("a backup's cfg comes back as it was written", () => {
    const optional = {
      blocks: fc
        .array(hex(64), { minLength: 1 })
        .map((list) => list.map((checksum, index) => ({ offset: index * 4194304, checksum }))),
      volumeId: hex(32),
      snapshotId: hex(32),
      volumeSize: size,
      volumeCreatedTime: text,
      archiveSize: size,
      archiveSha256: hex(64),
    };
    const cfgs: fc.Arbitrary<BackupCfg> = fc.record(
      {
        name: storedName,
        volumeName: storedName,
        snapshotName: text,
        snapshotCreatedTime: text,
        createdTime: text,
        ...optional,
      },
      { requiredKeys: ["name", "volumeName", "snapshotName", "snapshotCreatedTime", "createdTime"] },
    );
    fc.assert(
      fc.property(cfgs, (cfg) => {
        expect(decodeBackupCfg(encodeBackupCfg(cfg), cfg.volumeName, cfg.name)).toEqual(cfg);
      }),
    );
  });

  test("are written with Go's escapes", () => {
    const cfg = { name: "v1", driver: "a<b>&c\u2028", size: 0, createdTime: "", lastBackupName: "", unknown: {} };
    expect(Buffer.from(encodeVolumeCfg(cfg)).toString()).toContain('"a\\u003cb\\u003e\\u0026c\\u2028"');
  });

  test.each([
    ["names in other letter cases", '{"name":"vol1","DRIVER":"vfs","size":7}'],
    ["trailing data", '{"Name":"vol1","Driver":"vfs","Size":7}}] garbage'],
    ["trailing data after braces in texts", '{"Name":"vol1","Driver":"vfs","Size":7,"x":"}\\"{["}{'],
    ["white space and other orders", '\n { "Size": 7, "Driver" : "vfs",\t"Name":"vol1" } \n'],
    ["a field twice", '{"Name":"vol2","Driver":"vfs","Size":7,"Name":"vol1"}'],
    ["null for a missing field", '{"Name":"vol1","Driver":"vfs","Size":7,"LastBackupName":null}'],
  ])("are read as v0.5.2 reads them: %s", (_, json) => {
    expect(decodeVolumeCfg(bytes(json), "vol1")).toMatchObject({
      name: "vol1",
      driver: "vfs",
      size: 7,
      createdTime: "",
      lastBackupName: "",
    });
  });

  test.each(["", "{", "nonsense", "[]", "7", '"text"', "null", '{"Name":"vol1","Size":"7"}', '{"Name":["vol1"]}'])(
    "that are none are damaged: %s",
    (json) => {
      expect(() => decodeVolumeCfg(bytes(json), "vol1")).toThrow(expect.objectContaining({ code: "BACKUP_DAMAGED" }));
    },
  );

  test("any value followed by anything is that value", () => {
    const values = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));
    fc.assert(
      fc.property(values, fc.string(), (value, rest) => {
        const json = JSON.stringify(value);
        expect(parseFirstValue(bytes(json + rest))).toEqual(JSON.parse(json));
      }),
    );
  });
});
