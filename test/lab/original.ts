import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { succeed } from "./run.ts";

/** State of a Convoy v0.5.2 with the vfs driver, written file by file as that program writes it. */
export class OriginalState {
  readonly root: string;
  readonly path: string;
  readonly #records = new Map<string, OriginalRecord>();

  private constructor(root: string, path: string) {
    this.root = root;
    this.path = path;
  }

  /** Makes `root` and `path` as the first start of the original does. */
  static async make(root: string, path: string): Promise<OriginalState> {
    const state = new OriginalState(root, path);
    await mkdir(join(root, "vfs/snapshots"), { recursive: true, mode: 0o700 });
    await mkdir(join(path, "config"), { recursive: true, mode: 0o700 });
    const config = {
      Root: root,
      DriverList: ["vfs"],
      DefaultDriver: "vfs",
      MountNamespaceFD: "",
      IgnoreDockerDelete: false,
      CreateOnDockerMount: false,
      CmdTimeout: "",
    };
    const vfs = {
      Root: join(root, "vfs"),
      Path: path,
      ConfigPath: join(path, "config"),
      DefaultVolumeSize: 100 * 2 ** 30,
    };
    await writeFile(join(root, "convoy.cfg"), JSON.stringify(config));
    await writeFile(join(root, "vfs/vfs.cfg"), JSON.stringify(vfs));
    return state;
  }

  /** What a killed original leaves besides: its lock file and nothing else. */
  async leaveLock(): Promise<void> {
    await writeFile(join(this.root, "lock"), "");
  }

  recordFile(volume: string): string {
    return join(this.path, "config", `vfs_volume_${volume}.json`);
  }

  archive(volume: string, snapshot: string): string {
    return join(this.root, "vfs/snapshots", `${volume}_${snapshot}.tar.gz`);
  }

  /** A volume with an empty directory. `extra` fields are put at the end of its record. */
  async volume(name: string, extra: Record<string, unknown> = {}): Promise<string> {
    const directory = join(this.path, name);
    await mkdir(directory, { mode: 0o700 });
    this.#records.set(name, {
      Name: name,
      Size: 0,
      Path: directory,
      MountPoint: "",
      PrepareForVM: false,
      CreatedTime: "Fri Nov 20 07:05:25 +0000 2026",
      Snapshots: {},
      ...extra,
    });
    await this.save(name);
    return directory;
  }

  /** Sets the record's mount point, as a mount in the original does. */
  async mounted(name: string): Promise<void> {
    this.record(name).MountPoint = join(this.path, name);
    await this.save(name);
  }

  /** Takes a snapshot as the original does: tar, then gzip, into the root of this host. */
  async snapshot(volume: string, name: string): Promise<string> {
    const file = this.archive(volume, name);
    await succeed("tar", ["cf", `${file}.tmp`, "-C", join(this.path, volume), "."]);
    await succeed("gzip", [`${file}.tmp`]);
    await succeed("mv", ["-f", `${file}.tmp.gz`, file]);
    await this.recordSnapshot(volume, name, file);
    return file;
  }

  /** Only the entry in the volume's record. */
  async recordSnapshot(volume: string, name: string, file: string): Promise<void> {
    this.record(volume).Snapshots[name] = {
      Name: name,
      CreatedTime: "Fri Nov 20 07:05:26 +0000 2026",
      VolumeUUID: volume,
      FilePath: file,
    };
    await this.save(volume);
  }

  record(name: string): OriginalRecord {
    const record = this.#records.get(name);
    if (record === undefined) throw new Error(`no volume ${name} in this state`);
    return record;
  }

  async save(name: string): Promise<void> {
    await writeFile(this.recordFile(name), JSON.stringify(this.record(name)));
  }
}

export interface OriginalRecord {
  Name: string;
  Size: number;
  Path: string;
  MountPoint: string;
  PrepareForVM: boolean;
  CreatedTime: string;
  Snapshots: Record<string, { Name: string; CreatedTime: string; VolumeUUID: string; FilePath: string }>;
  [field: string]: unknown;
}
