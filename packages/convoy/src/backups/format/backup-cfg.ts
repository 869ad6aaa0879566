import { goJson } from "../../host/go-json.ts";
import { decodeFields, parseFirstValue } from "./go-json-decode.ts";
import { archiveKey, backupCfgKey } from "./layout.ts";
import { checker, damaged, forged } from "./schema.ts";

/** A backup's cfg (docs/backup-format.md). The optional fields are ours and missing in backups of v0.5.2. */
export interface BackupCfg {
  name: string;
  volumeName: string;
  snapshotName: string;
  snapshotCreatedTime: string;
  createdTime: string;
  /** Complete list of a delta-block backup, ascending; undefined for a single-file backup. */
  blocks?: Block[];
  /** Random ids of R20. */
  volumeId?: string;
  snapshotId?: string;
  /** Of the volume when it was backed up (R21): bytes, and its creation time. */
  volumeSize?: number;
  volumeCreatedTime?: string;
  /** Of the archive of a single-file backup: bytes, and SHA-256 in hex. */
  archiveSize?: number;
  archiveSha256?: string;
}

export interface Block {
  /** Bytes from the volume's start. */
  offset: number;
  checksum: string;
}

const BLOCK_SIZE = 2 * 1024 * 1024;
const ID = "^[0-9a-f]{32}$";
const SAFE = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;

const schema = {
  type: "object",
  properties: {
    Name: { type: "string" },
    Driver: { type: "string" },
    VolumeName: { type: "string" },
    SnapshotName: { type: "string" },
    SnapshotCreatedAt: { type: "string" },
    CreatedTime: { type: "string" },
    Blocks: {
      type: "array",
      items: {
        type: "object",
        properties: { Offset: SAFE, BlockChecksum: { type: "string", pattern: "^[0-9a-f]{64}$" } },
        required: ["BlockChecksum"],
      },
    },
    SingleFile: { type: "object", properties: { FilePath: { type: "string" } } },
    VolumeID: { type: "string", pattern: ID },
    SnapshotID: { type: "string", pattern: ID },
    VolumeSize: SAFE,
    VolumeCreatedAt: { type: "string" },
    ArchiveSize: SAFE,
    ArchiveSHA256: { type: "string", pattern: "^[0-9a-f]{64}$" },
  },
} as const;

const check = checker(schema);
const FIELDS = Object.keys(schema.properties);

/** Largest backup cfg that is read, in bytes: the block list of a volume of some 4 TiB. */
export const MAX_BACKUP_CFG = 256 * 1024 * 1024;

/** The bytes of a single-file backup's cfg: compact, no newline, v0.5.2's fields in its order, then ours (R22). */
export function encodeBackupCfg(cfg: BackupCfg): Uint8Array {
  return Buffer.from(
    goJson({
      Name: cfg.name,
      // v0.5.2 always leaves it empty; the driver stands in volume.cfg.
      Driver: "",
      VolumeName: cfg.volumeName,
      SnapshotName: cfg.snapshotName,
      SnapshotCreatedAt: cfg.snapshotCreatedTime,
      CreatedTime: cfg.createdTime,
      Blocks: cfg.blocks?.map(({ offset, checksum }) => ({ Offset: offset, BlockChecksum: checksum })),
      SingleFile: { FilePath: cfg.blocks === undefined ? archiveKey(cfg.volumeName, cfg.name) : "" },
      VolumeID: cfg.volumeId,
      SnapshotID: cfg.snapshotId,
      VolumeSize: cfg.volumeSize,
      VolumeCreatedAt: cfg.volumeCreatedTime,
      ArchiveSize: cfg.archiveSize,
      ArchiveSHA256: cfg.archiveSha256,
    }),
  );
}

/**
 * Reads the cfg of `backup` of `volume`. Whatever it says of places must be what we would have written (R31).
 * @throws BACKUP_DAMAGED, FORGED
 */
export function decodeBackupCfg(bytes: Uint8Array, volume: string, backup: string): BackupCfg {
  const key = backupCfgKey(volume, backup);
  const cfg = check(normalised(bytes, key), key);
  if (cfg.Name !== backup) throw forged(key, `its Name is ${JSON.stringify(cfg.Name ?? "")}, not ${backup}`);
  if (cfg.VolumeName !== volume) {
    throw forged(key, `its VolumeName is ${JSON.stringify(cfg.VolumeName ?? "")}, not ${volume}`);
  }
  const file = cfg.SingleFile?.FilePath ?? "";
  const expected = archiveKey(volume, backup);
  if (file !== "" && file !== expected) {
    throw forged(key, `its FilePath is ${JSON.stringify(file)}, not ${JSON.stringify(expected)}`);
  }
  if (file !== "" && cfg.Blocks !== undefined && cfg.Blocks.length > 0) {
    throw forged(key, "it names both an archive and blocks");
  }
  return {
    name: backup,
    volumeName: volume,
    snapshotName: cfg.SnapshotName ?? "",
    snapshotCreatedTime: cfg.SnapshotCreatedAt ?? "",
    createdTime: cfg.CreatedTime ?? "",
    ...(file === "" && { blocks: checkedBlocks(cfg.Blocks ?? [], key) }),
    ...(cfg.VolumeID !== undefined && { volumeId: cfg.VolumeID }),
    ...(cfg.SnapshotID !== undefined && { snapshotId: cfg.SnapshotID }),
    ...(cfg.VolumeSize !== undefined && { volumeSize: cfg.VolumeSize }),
    ...(cfg.VolumeCreatedAt !== undefined && { volumeCreatedTime: cfg.VolumeCreatedAt }),
    ...(cfg.ArchiveSize !== undefined && { archiveSize: cfg.ArchiveSize }),
    ...(cfg.ArchiveSHA256 !== undefined && { archiveSha256: cfg.ArchiveSHA256 }),
  };
}

/** The JSON object with v0.5.2's spelling of all names; what is no object stays as it is, for the schema to refuse. */
function normalised(bytes: Uint8Array, key: string): unknown {
  let value: unknown;
  try {
    value = parseFirstValue(bytes);
  } catch (cause) {
    throw damaged(key, "it is not JSON", cause);
  }
  const cfg = decodeFields(value, FIELDS)?.known;
  if (cfg === undefined) throw damaged(key, "it is not a JSON object");
  const file = decodeFields(cfg["SingleFile"], ["FilePath"]);
  if (file !== undefined) cfg["SingleFile"] = file.known;
  if (Array.isArray(cfg["Blocks"])) {
    cfg["Blocks"] = cfg["Blocks"].map(
      (block: unknown) => decodeFields(block, ["Offset", "BlockChecksum"])?.known ?? block,
    );
  }
  return cfg;
}

function checkedBlocks(blocks: readonly { Offset?: number; BlockChecksum: string }[], key: string): Block[] {
  let before = -BLOCK_SIZE;
  return blocks.map(({ Offset: offset = 0, BlockChecksum: checksum }) => {
    if (offset % BLOCK_SIZE !== 0 || offset <= before) {
      throw forged(key, `the offset ${offset} of a block is not on the grid of 2 MiB, or not above the one before`);
    }
    before = offset;
    return { offset, checksum };
  });
}
