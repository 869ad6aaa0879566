import type { FakeAnswer, Handler, SeenRequest } from "./fake-daemon.ts";

/**
 * A daemon that keeps everything in memory and answers as the recordings of v0.5.2 do: field order, tab-indented JSON
 * without a newline at the end, bare words without `Verbose`, plain-text errors.
 * With `problems` it sends what our own daemon sends to clients that ask for it: problem documents.
 */
export function referenceDaemon(options: { problems?: boolean } = {}): Handler {
  const volumes = new Map<string, Volume>();
  const detached = new Map<string, Volume>();
  const backups = new Map<string, object>();
  let made = 0;

  const volume = (name: string): Volume => {
    const found = volumes.get(name);
    if (!found) throw new Failure(400, "VOLUME_NOT_FOUND", `volume ${name} doesn't exist`);
    return found;
  };
  const known = (name: string): Volume => {
    const found = volumes.get(name);
    if (!found) throw new Failure(404, "VOLUME_NOT_FOUND", "Volume not found.");
    return found;
  };
  const ownerOf = (snapshot: string): Volume => {
    for (const candidate of volumes.values()) if (candidate.Snapshots[snapshot]) return candidate;
    throw new Failure(400, "SNAPSHOT_NOT_FOUND", `cannot find volume for snapshot ${snapshot}`);
  };
  const backup = (url: string): object => {
    const found = backups.get(url);
    if (!found) throw new Failure(400, "BACKUP_NOT_FOUND", "cannot find backup in objectstore");
    return found;
  };

  const routes: Record<string, (fields: Fields) => unknown> = {
    "GET /v1/info": () => INFO,
    "GET /v1/volumes/list": () => Object.fromEntries([...volumes].sort()),
    "GET /v1/volumes/list?driver=1": () =>
      Object.fromEntries([...volumes].sort().map(([name, { DriverInfo }]) => [name, DriverInfo])),
    "GET /v1/volumes/list?detached=1": () =>
      Object.fromEntries([...detached].map(([name, record]) => [name, detachedRecord(record)])),
    "GET /v1/volumes/": ({ VolumeName }) => known(VolumeName ?? ""),
    "POST /v1/volumes/create": ({ Name, PrepareForVM, Size, Verbose }) => {
      const name = Name || `volume-${String(++made).padStart(16, "0")}`;
      if (volumes.has(name)) throw new Failure(400, "VOLUME_EXISTS", `Volume ${name} already exists `);
      volumes.set(name, newVolume(name, PrepareForVM === true, Number(Size ?? 0)));
      return Verbose ? volumes.get(name) : name;
    },
    "DELETE /v1/volumes/": ({ VolumeName = "", ReferenceOnly, Detached }) => {
      if (Detached) {
        if (!detached.delete(VolumeName)) throw new Failure(404, "VOLUME_NOT_FOUND", "Volume not found.");
        return "";
      }
      const found = known(VolumeName);
      if (found.MountPoint) {
        throw new Failure(400, "VOLUME_MOUNTED", `Cannot delete volume ${VolumeName}. It is still mounted`);
      }
      volumes.delete(VolumeName);
      if (ReferenceOnly) detached.set(VolumeName, found);
      return "";
    },
    "POST /v1/volumes/mount": ({ VolumeName = "", MountPoint, Verbose }) => {
      const found = volume(VolumeName);
      if (MountPoint) throw new Failure(400, "UNSUPPORTED", "VFS doesn't support specified mount point");
      found.MountPoint = found.DriverInfo["Path"] ?? "";
      return Verbose ? found : found.MountPoint;
    },
    "POST /v1/volumes/umount": ({ VolumeName = "" }) => {
      volume(VolumeName).MountPoint = "";
      return "";
    },
    "POST /v1/volumes/rename": ({ VolumeName = "", NewName = "" }) => {
      const found = volume(VolumeName);
      volumes.delete(VolumeName);
      volumes.set(NewName, { ...found, Name: NewName });
      return "";
    },
    "POST /v1/snapshots/create": ({ Name: wanted, VolumeName = "", Verbose }) => {
      const owner = volume(VolumeName);
      const name = wanted || `snapshot-${String(++made).padStart(16, "0")}`;
      const taken = volumes.has(name) || [...volumes.values()].some((other) => other.Snapshots[name]);
      if (taken) throw new Failure(400, "SNAPSHOT_EXISTS", `Snapshot name ${name} already exists`);
      const { Name, CreatedTime, DriverInfo } = newSnapshot(VolumeName, name);
      owner.Snapshots[name] = { Name, CreatedTime, DriverInfo };
      return Verbose ? { Name, VolumeName, CreatedTime, DriverInfo } : name;
    },
    "GET /v1/snapshots/": ({ SnapshotName = "" }) => {
      const owner = ownerOf(SnapshotName);
      const { Name, ...rest } = owner.Snapshots[SnapshotName] ?? newSnapshot("", "");
      return { Name, VolumeName: owner.Name, VolumeCreatedAt: owner.CreatedTime, ...rest };
    },
    "DELETE /v1/snapshots/": ({ SnapshotName = "" }) => {
      delete ownerOf(SnapshotName).Snapshots[SnapshotName];
      return "";
    },
    "POST /v1/backups/create": ({ URL = "", SnapshotName = "", Verbose }) => {
      if (!URL) throw new Failure(400, "INVALID_URL", "Destination URL hasn't been specified");
      const owner = ownerOf(SnapshotName);
      const name = `backup-${String(++made).padStart(16, "0")}`;
      const url = `${URL}?backup=${name}&volume=${owner.Name}`;
      backups.set(url, newBackup(url, name, SnapshotName, owner.Name));
      return Verbose ? { URL: url } : url.replace("&", "\\u0026");
    },
    "GET /v1/backups/list": ({ URL = "" }) =>
      Object.fromEntries([...backups].filter(([url]) => url.startsWith(`${URL}?`))),
    "GET /v1/backups/inspect": ({ URL = "" }) => backup(URL),
    "DELETE /v1/backups": ({ URL = "" }) => {
      backup(URL);
      backups.delete(URL);
      return "";
    },
  };

  return (request) => {
    const route = routes[`${request.method} ${request.url}`];
    if (!route) return { status: 404, body: `Handler not found: ${request.method} ${request.url}` };
    try {
      const answer = route((JSON.parse(request.body) ?? {}) as Fields);
      if (typeof answer === "string") return { body: answer };
      return { headers: { "Content-Type": "text/plain; charset=utf-8" }, body: goJson(answer) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return options.problems ? problem(request, error) : { status: error.status, body: `${error.message}\n` };
    }
  };
}

/** The text fields of any request, and its flags. */
interface Fields {
  [name: string]: string | boolean | undefined;
  Name?: string;
  VolumeName?: string;
  NewName?: string;
  SnapshotName?: string;
  MountPoint?: string;
  URL?: string;
}
type Snapshot = { Name: string; CreatedTime: string; DriverInfo: Record<string, string> };
interface Volume {
  Name: string;
  Driver: string;
  MountPoint: string;
  CreatedTime: string;
  DriverInfo: Record<string, string>;
  Snapshots: Record<string, Snapshot>;
}

const TIME = "Fri Nov 20 07:05:25 +0000 2026";
const INFO = {
  General: {
    Root: "/var/lib/rancher/convoy",
    DriverList: ["vfs"],
    DefaultDriver: "vfs",
    MountNamespaceFD: "",
    IgnoreDockerDelete: false,
    CreateOnDockerMount: false,
    CmdTimeout: "",
  },
  vfs: { DefaultVolumeSize: "107374182400", Path: "/srv/vfs", Root: "/var/lib/rancher/convoy/vfs" },
};

class Failure extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function problem(request: SeenRequest, error: Failure): FakeAnswer {
  if (!request.headers.accept?.includes("application/problem+json")) {
    return { status: error.status, body: `${error.message}\n` };
  }
  const document = {
    type: "about:blank",
    title: "x",
    status: 409,
    detail: error.message,
    code: error.code,
    hint: "Do this.",
  };
  return { status: 409, headers: { "Content-Type": "application/problem+json" }, body: JSON.stringify(document) };
}

function newVolume(name: string, vm: boolean, size: number): Volume {
  const info = {
    Driver: "vfs",
    MountPoint: "",
    Path: `/srv/vfs/${name}`,
    PrepareForVM: String(vm),
    Size: String(vm ? size : 0),
    VolumeCreatedAt: TIME,
    VolumeName: name,
  };
  return { Name: name, Driver: "vfs", MountPoint: "", CreatedTime: TIME, DriverInfo: info, Snapshots: {} };
}

function newSnapshot(volume: string, name: string): Snapshot {
  const info = {
    Driver: "vfs",
    FilePath: `/var/lib/rancher/convoy/vfs/snapshots/${volume}_${name}.tar.gz`,
    SnapshotCreatedAt: TIME,
    SnapshotName: name,
    VolumeUUID: volume,
  };
  return { Name: name, CreatedTime: TIME, DriverInfo: info };
}

function newBackup(url: string, name: string, snapshot: string, volume: string): object {
  return {
    BackupName: name,
    BackupURL: url,
    CreatedTime: TIME,
    DriverName: "vfs",
    SnapshotCreatedAt: TIME,
    SnapshotName: snapshot,
    VolumeCreatedAt: TIME,
    VolumeName: volume,
    VolumeSize: "0",
  };
}

function detachedRecord({ Name, Driver, CreatedTime, DriverInfo, Snapshots }: Volume): object {
  return { Name, Driver, CreatedTime, DetachedTime: TIME, Path: DriverInfo["Path"], Snapshots: Object.keys(Snapshots) };
}

/** As Go's encoder writes it. */
function goJson(value: unknown): string {
  const escapes: Record<string, string> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
  return JSON.stringify(value, null, "\t").replace(/[<>&]/g, (char) => escapes[char] ?? char);
}
