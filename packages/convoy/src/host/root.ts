import { randomBytes } from "node:crypto";
import { readdir, readFile, realpath } from "node:fs/promises";
import { hostname } from "node:os";
import { ConvoyError } from "../errors.ts";
import { Dir } from "./dir.ts";
import { mountOf, readMounts } from "./mountinfo.ts";

/** Which markers this root has seen at a place (R11). */
export interface MarkerMemory {
  /** Ids remembered for the place, in the order in which they were learnt; none: never used by this root. */
  remembered(place: string): string[];
  /** Adds an id, durable when it resolves; idempotent. */
  remember(place: string, id: string): Promise<void>;
  /** True if this root's state was begun by Convoy v0.5.2, so that its places existed before. */
  readonly takenOver: boolean;
}

/** Who this daemon is, for holders, locks and intents (R9, R23). */
export interface RootIdentity {
  /** Random, kept in the root; counts only on the machine where it was made. */
  readonly id: string;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  readonly host: string;
}

interface RootFile {
  ID: string;
  /** What the machine looked like when the id was made; a difference means a copied root. */
  Machine: Record<string, string>;
  Markers: Record<string, string[]>;
  TakenOver: boolean;
}

const FILE = ".convoy-root.json";

async function textOf(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return "";
  }
}

/** What tells machines apart, as far as it is there. Cloned machines share all of it but some. */
async function machineMarks(root: Dir): Promise<Record<string, string>> {
  const self = await root.statSelf();
  const marks: Record<string, string> = {
    MachineID: await textOf("/etc/machine-id"),
    ProductUUID: await textOf("/sys/class/dmi/id/product_uuid"),
    FileSystemUUID: await fileSystemUuid(root.path),
    Inode: String(self.ino),
  };
  return Object.fromEntries(Object.entries(marks).filter(([, value]) => value !== ""));
}

/** UUID of the file system that `path` is on, as udev knows it; empty without udev or on network file systems. */
async function fileSystemUuid(path: string): Promise<string> {
  try {
    const source = mountOf(await realpath(path), await readMounts())?.source;
    if (source === undefined || !source.startsWith("/")) return "";
    const device = await realpath(source);
    for (const uuid of await readdir("/dev/disk/by-uuid")) {
      if ((await realpath(`/dev/disk/by-uuid/${uuid}`)) === device) return uuid;
    }
  } catch {
    // No udev here: the other marks have to do.
  }
  return "";
}

/** Identity and memory of a daemon's state directory. Opened once per daemon, under `<root>/lock`. */
export class RootState implements MarkerMemory, RootIdentity {
  readonly dir: Dir;
  readonly bootId: string;
  readonly host: string;
  /** Set if the root came from another machine: the id that it had there, whose holders are foreign now. */
  readonly formerId: string | undefined;
  #file: RootFile;
  #writing: Promise<void> = Promise.resolve();

  private constructor(dir: Dir, file: RootFile, bootId: string, formerId: string | undefined) {
    this.dir = dir;
    this.#file = file;
    this.bootId = bootId;
    this.host = hostname();
    this.formerId = formerId;
  }

  /**
   * Reads the root's identity, or makes one.
   * @param takenOver whether the root holds state of v0.5.2 and none of ours.
   */
  static async open(path: string, takenOver: boolean): Promise<RootState> {
    const dir = await Dir.open(path);
    const text = await dir.readText(FILE);
    const bootId = await textOf("/proc/sys/kernel/random/boot_id");
    const marks = await machineMarks(dir);
    if (text === undefined) {
      const file: RootFile = { ID: newId(), Machine: marks, Markers: {}, TakenOver: takenOver };
      await dir.write(FILE, `${JSON.stringify(file)}\n`);
      return new RootState(dir, file, bootId, undefined);
    }
    const file = parseRootFile(text, `${path}/${FILE}`);
    const moved = Object.entries(file.Machine).some(
      ([name, value]) => marks[name] !== undefined && marks[name] !== value,
    );
    if (!moved) return new RootState(dir, file, bootId, undefined);
    const renewed: RootFile = { ...file, ID: newId(), Machine: marks };
    await dir.write(FILE, `${JSON.stringify(renewed)}\n`);
    return new RootState(dir, renewed, bootId, file.ID);
  }

  get id(): string {
    return this.#file.ID;
  }

  get takenOver(): boolean {
    return this.#file.TakenOver;
  }

  remembered(place: string): string[] {
    return this.#file.Markers[place] ?? [];
  }

  remember(place: string, id: string): Promise<void> {
    const write = this.#writing.then(async () => {
      const known = this.remembered(place);
      if (known.includes(id)) return;
      const file = { ...this.#file, Markers: { ...this.#file.Markers, [place]: [...known, id] } };
      await this.dir.write(FILE, `${JSON.stringify(file)}\n`);
      this.#file = file;
    });
    this.#writing = write.catch(() => undefined);
    return write;
  }

  close(): Promise<void> {
    return this.dir.close();
  }
}

/** 32 random hex digits: ids of roots, volumes, snapshots, markers and intents. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}

function parseRootFile(text: string, path: string): RootFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, cause);
  }
  const file = value as Partial<RootFile> | null;
  if (typeof file?.ID !== "string" || !/^[0-9a-f]{32}$/.test(file.ID)) throw damaged(path);
  return { ID: file.ID, Machine: file.Machine ?? {}, Markers: file.Markers ?? {}, TakenOver: file.TakenOver === true };
}

function damaged(path: string, cause?: unknown): ConvoyError {
  return new ConvoyError("RECORD_DAMAGED", `${path} is damaged and says no longer who this root is`, {
    cause,
    hint: "Restore it from a backup of the root directory, or remove it: the root then gets a new id, and mounts held under the old one must be ended with `convoy umount --force --root <old id>`.",
  });
}
