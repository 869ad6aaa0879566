import { Ajv } from "ajv";
import type { BaseRecord } from "../records/record-files.ts";

/** A snapshot in a vfs record, with the fields of Convoy v0.5.2. */
export interface VfsSnapshot {
  Name: string;
  CreatedTime: string;
  /** The volume's name, in spite of the field's. */
  VolumeUUID: string;
  /** Tree below `config/.convoy/snapshots/`, or the `.tar.gz` of v0.5.2 on one host's disk. Only compared, never used as a path (R31). */
  FilePath: string;
}

/** `vfs_volume_<name>.json`, with the fields of Convoy v0.5.2 in its order. */
export interface VfsRecord extends BaseRecord {
  /** Bytes of `disk.img`; 0 unless prepared for a VM. */
  Size: number;
  /** Where the host that made the volume sees it; its parent may differ here. */
  Path: string;
  PrepareForVM: boolean;
  Snapshots: { [name: string]: VfsSnapshot };
  /** Copy of the id for people; what counts is the identity file (records/identities.ts). */
  VolumeID?: string;
}

const text = { type: "string" } as const;

const validate = new Ajv({ allErrors: false }).compile({
  type: "object",
  required: ["Name", "Path", "CreatedTime"],
  properties: {
    Name: text,
    Size: { type: "integer", minimum: 0 },
    Path: text,
    MountPoint: text,
    PrepareForVM: { type: "boolean" },
    CreatedTime: text,
    Snapshots: {
      anyOf: [
        { type: "null" },
        {
          type: "object",
          additionalProperties: {
            type: "object",
            required: ["Name", "CreatedTime", "FilePath"],
            properties: { Name: text, CreatedTime: text, VolumeUUID: text, FilePath: text },
          },
        },
      ],
    },
  },
});

/** One path component that is not one of ours: what a name in a shared place may be at most (R3, R31). */
const COMPONENT = /^[^./][^/\0]*$/;

/**
 * Checks a parsed record and fills what Go leaves out.
 * @returns what is wrong with it, or nothing.
 */
export function checkRecord(value: unknown): string | undefined {
  if (!validate(value)) {
    const error = validate.errors![0]!;
    return `${error.instancePath === "" ? "the record" : error.instancePath.slice(1)} ${error.message}`;
  }
  const record = value as VfsRecord;
  record.Size ??= 0;
  record.MountPoint ??= "";
  record.PrepareForVM ??= false;
  record.Snapshots ??= {};
  if (!COMPONENT.test(record.Name)) return `'${record.Name}' cannot be a volume's name`;
  if (record.Name === "config") {
    return "a volume called 'config' (Convoy v0.5.2 let one be made) is the directory of all records; remove this file by hand";
  }
  if (record.Path.split("/").at(-1) !== record.Name) {
    return `its Path is ${record.Path}, which does not end in /${record.Name}`;
  }
  for (const [name, snapshot] of Object.entries(record.Snapshots)) {
    if (snapshot.Name !== name || !COMPONENT.test(name))
      return `it has a snapshot '${name}' that calls itself '${snapshot.Name}'`;
  }
  return undefined;
}

export function newRecord(name: string, path: string, createdTime: string): VfsRecord {
  return {
    Name: name,
    Size: 0,
    Path: path,
    MountPoint: "",
    PrepareForVM: false,
    CreatedTime: createdTime,
    Snapshots: {},
  };
}
