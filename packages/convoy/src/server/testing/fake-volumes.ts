import { isValidName } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";
import type { CreateRequest, VolumesApi } from "../../volumes/api.ts";
import type { VolumeState } from "../records.ts";

export const TIME = "Fri Nov 20 06:54:19 +0000 2026";

/** Volumes in memory that answer as the vfs driver does, so that the server is tested without one. */
export class FakeVolumes implements VolumesApi {
  readonly drivers = ["vfs"];
  readonly defaultDriver = "vfs";
  readonly volumes = new Map<string, VolumeState>();
  /** Arguments of the calls that change nothing here. */
  readonly calls: [string, unknown][] = [];
  /** Thrown by every call when set. */
  failure: Error | undefined;

  async driverInfo() {
    this.#fail();
    const info = { Root: "/root/vfs", Path: "/srv/vfs", DefaultVolumeSize: "107374182400" };
    return new Map<string, Record<string, string>>([["vfs", info]]);
  }

  async list() {
    this.#fail();
    return [...this.volumes.values()];
  }

  async listDetached() {
    const detached = { name: "gone", createdTime: TIME, detachedTime: TIME, path: "/srv/vfs/gone", snapshots: ["s1"] };
    return [{ ...detached, driver: "vfs" }];
  }

  async inspect(name: string) {
    this.#fail();
    if (name !== "" && !isValidName(name)) throw new ConvoyError("INVALID_NAME", `Invalid name ${name}`);
    const volume = this.volumes.get(name);
    if (volume === undefined) throw new ConvoyError("VOLUME_NOT_FOUND", "Volume not found.");
    return volume;
  }

  async find(name: string) {
    this.#fail();
    return this.volumes.get(name);
  }

  async create(request: CreateRequest) {
    this.#fail();
    this.calls.push(["create", request]);
    const name = request.name || "volume-0123456789abcdef";
    if (this.volumes.has(name)) throw new ConvoyError("VOLUME_EXISTS", `Volume ${name} already exists `);
    const volume = fakeVolume(name);
    this.volumes.set(name, volume);
    return { volume, warnings: request.size > 0 ? ["size has no effect with driver vfs"] : [] };
  }

  async createForDocker(request: CreateRequest) {
    const volume = this.volumes.get(request.name);
    return volume === undefined ? this.create(request) : { volume, warnings: [] };
  }

  async delete(name: string, options: { reference: boolean }) {
    await this.inspect(name);
    this.calls.push(["delete", { name, ...options }]);
    this.volumes.delete(name);
  }

  async deleteDetached(name: string) {
    this.calls.push(["deleteDetached", name]);
  }

  async removeForDocker(name: string) {
    this.#fail();
    if (this.volumes.get(name)?.mountPoint) {
      throw new ConvoyError("VOLUME_MOUNTED", `Cannot delete volume ${name}. It is still mounted`);
    }
    this.volumes.delete(name);
  }

  async rename(name: string, newName: string) {
    this.calls.push(["rename", { name, newName }]);
  }

  async mount(name: string, mountPoint: string) {
    this.calls.push(["mount", { name, mountPoint }]);
    return this.mountForDocker(name, "");
  }

  async umount(name: string, options: { force: boolean; forceRoot: string }) {
    this.calls.push(["umount", { name, ...options }]);
    await this.umountForDocker(name, "");
  }

  async mountForDocker(name: string, id: string) {
    const volume = this.volumes.get(name);
    if (volume === undefined) throw new ConvoyError("VOLUME_NOT_FOUND", `volume ${name} doesn't exist`);
    volume.mountPoint = `/srv/vfs/${name}`;
    volume.holders = [...volume.holders, { kind: "docker", root: "r", host: "h", id, since: TIME }];
    return volume.mountPoint;
  }

  async umountForDocker(name: string, id: string) {
    const volume = this.volumes.get(name);
    if (volume === undefined) throw new ConvoyError("VOLUME_NOT_FOUND", `volume ${name} doesn't exist`);
    volume.holders = volume.holders.filter((holder) => holder.id !== id);
    if (volume.holders.length === 0) volume.mountPoint = "";
    return volume.holders;
  }

  async createSnapshot(name: string, snapshot: string) {
    const volume = this.volumes.get(name);
    if (volume === undefined) throw new ConvoyError("VOLUME_NOT_FOUND", `volume ${name} doesn't exist`);
    const state = fakeSnapshot(name, snapshot || "snapshot-0123456789abcdef");
    volume.snapshots.set(state.name, state);
    return { volume, snapshot: state };
  }

  async inspectSnapshot(name: string) {
    for (const volume of this.volumes.values()) {
      const snapshot = volume.snapshots.get(name);
      if (snapshot !== undefined) return { volume, snapshot };
    }
    throw new ConvoyError("SNAPSHOT_NOT_FOUND", `cannot find volume for snapshot ${name}`);
  }

  async deleteSnapshot(name: string) {
    (await this.inspectSnapshot(name)).volume.snapshots.delete(name);
  }

  async createBackup(request: { url: string }) {
    this.calls.push(["createBackup", request]);
    if (request.url === "") throw new ConvoyError("INVALID_URL", "Destination URL hasn't been specified");
    return { url: `${request.url}?backup=backup-3af6f90a72b04ad8&volume=vol1`, warnings: [] };
  }

  async listBackups(request: { url: string }) {
    this.calls.push(["listBackups", request]);
    return [fakeBackup("backup-9c779569ad914505"), fakeBackup("backup-3af6f90a72b04ad8")];
  }

  async inspectBackup(request: { url: string }) {
    this.calls.push(["inspectBackup", request]);
    return fakeBackup("backup-3af6f90a72b04ad8");
  }

  async deleteBackup(request: { url: string }) {
    this.calls.push(["deleteBackup", request]);
  }

  async shutdown() {}

  #fail(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

export function fakeVolume(name: string): VolumeState {
  return {
    name,
    driver: "vfs",
    id: "",
    size: 0,
    mountPoint: "",
    createdTime: TIME,
    info: {
      VolumeName: name,
      Path: `/srv/vfs/${name}`,
      MountPoint: "",
      Size: "0",
      PrepareForVM: "false",
      VolumeCreatedAt: TIME,
    },
    snapshots: new Map(),
    holders: [],
  };
}

function fakeSnapshot(volume: string, name: string) {
  return {
    name,
    id: "",
    createdTime: TIME,
    info: { VolumeUUID: volume, SnapshotName: name, SnapshotCreatedAt: TIME, FilePath: `/s/${volume}_${name}` },
    warnings: [],
  };
}

function fakeBackup(name: string) {
  return {
    name,
    url: `vfs:///opt/backup?backup=${name}&volume=vol1`,
    volumeName: "vol1",
    snapshotName: "snap1",
    createdTime: TIME,
    snapshotCreatedTime: TIME,
    driver: "vfs",
    volumeCreatedTime: TIME,
    volumeSize: 0,
    volumeId: "",
    snapshotId: "",
  };
}
