import { ConvoyError } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { newId, type RootIdentity } from "../../host/root.ts";
import type { Holder } from "../driver.ts";
import { readJson, writeJson } from "./json-file.ts";

/** One file per volume and root: who of that root holds the mount (R9). */
interface HoldersFile {
  Root: string;
  Host: string;
  /** Boot of the machine in which the holders began or were renewed. */
  Boot: string;
  Holders: { Kind: Holder["kind"]; ID: string; Since: string }[];
}

const ROOT_ID = /^[0-9a-f]{32}$/;
const DAY_MS = 24 * 60 * 60 * 1000;

function isHoldersFile(value: Record<string, unknown>): boolean {
  const file = value as Partial<HoldersFile>;
  return (
    typeof file.Root === "string" &&
    ROOT_ID.test(file.Root) &&
    typeof file.Host === "string" &&
    typeof file.Boot === "string" &&
    Array.isArray(file.Holders) &&
    file.Holders.every(
      (holder) =>
        ["docker", "manual", "legacy"].includes(holder?.Kind) &&
        typeof holder.ID === "string" &&
        typeof holder.Since === "string",
    )
  );
}

/**
 * The holders of volumes, in the directory `holders/<volume>/` of the state that all hosts see. Callers hold the
 * record's lock around every change.
 */
export class Holders {
  readonly #identity: RootIdentity;

  constructor(identity: RootIdentity) {
    this.#identity = identity;
  }

  /** Id of this root. */
  get root(): string {
    return this.#identity.id;
  }

  /** All holders of a volume, of every root. */
  async list(state: Dir, volume: string): Promise<Holder[]> {
    const dir = await this.#open(state, volume, false);
    if (dir === undefined) return [];
    try {
      const holders: Holder[] = [];
      for (const name of (await dir.list()).sort()) {
        if (!ROOT_ID.test(name)) continue;
        const file = await this.#read(dir, name);
        for (const { Kind, ID, Since } of file?.Holders ?? []) {
          holders.push({ kind: Kind, root: name, host: file!.Host, id: ID, since: Since });
        }
      }
      return holders;
    } finally {
      await dir.close();
    }
  }

  #read(dir: Dir, root: string): Promise<HoldersFile | undefined> {
    return readJson<HoldersFile>(dir, root, (value) => isHoldersFile(value) && value["Root"] === root);
  }

  async #open(state: Dir, volume: string, create: boolean): Promise<Dir | undefined> {
    const all = create ? await state.sub("holders", { create }) : await state.trySub("holders");
    if (all === undefined) return undefined;
    try {
      return create ? await all.sub(volume, { create }) : await all.trySub(volume);
    } finally {
      await all.close();
    }
  }

  /** Adds a holder of this root; idempotent. */
  async add(state: Dir, volume: string, kind: Holder["kind"], id: string): Promise<void> {
    await this.#change(state, volume, (holders) =>
      holders.some((holder) => holder.Kind === kind && holder.ID === id)
        ? holders
        : [...holders, { Kind: kind, ID: id, Since: new Date().toISOString() }],
    );
  }

  /** Removes the holders of this root that `ends` picks; idempotent. */
  async remove(state: Dir, volume: string, ends: (kind: Holder["kind"], id: string) => boolean): Promise<void> {
    await this.#change(state, volume, (holders) => holders.filter((holder) => !ends(holder.Kind, holder.ID)));
  }

  async #change(
    state: Dir,
    volume: string,
    change: (holders: HoldersFile["Holders"]) => HoldersFile["Holders"],
  ): Promise<void> {
    const dir = (await this.#open(state, volume, true))!;
    try {
      await this.#changeIn(dir, change);
    } finally {
      await dir.close();
    }
  }

  async #changeIn(dir: Dir, change: (holders: HoldersFile["Holders"]) => HoldersFile["Holders"]): Promise<void> {
    const { id, host, bootId } = this.#identity;
    const present = await this.#read(dir, id);
    const before = present?.Holders ?? [];
    // After a reboot no container of the former boot runs: only mounts by hand are renewed (R9).
    const valid = present?.Boot === bootId ? before : before.filter((holder) => holder.Kind === "manual");
    const after = change(valid);
    if (
      present?.Boot === bootId &&
      after.length === before.length &&
      after.every((holder, i) => holder === before[i])
    ) {
      return;
    }
    if (present === undefined && after.length === 0) return;
    if (after.length === 0) await dir.remove(id);
    else await writeJson(dir, id, { Root: id, Host: host, Boot: bootId, Holders: after } satisfies HoldersFile);
  }

  /** Ends what a foreign root holds: only by a user's word that names the root. */
  async removeRoot(state: Dir, volume: string, root: string): Promise<void> {
    if (!ROOT_ID.test(root)) {
      throw new ConvoyError("INVALID_OPTION", `'${root}' is not a root id: 32 hexadecimal digits are allowed`, {
        hint: `'convoy inspect ${volume}' names the holders and their roots.`,
      });
    }
    const dir = await this.#open(state, volume, false);
    if (dir === undefined) return;
    try {
      await dir.remove(root);
    } finally {
      await dir.close();
    }
  }

  /** Volumes that this root has a holders' file for. Removes temporary files of dead writers on the way. */
  async volumesOfRoot(state: Dir): Promise<Set<string>> {
    const all = await state.trySub("holders");
    if (all === undefined) return new Set();
    try {
      const volumes = await all.list();
      const own = new Set<string>();
      const look = async (volume: string) => {
        const dir = await all.trySub(volume);
        if (dir === undefined) return;
        if ((await dir.stat(this.#identity.id)) !== undefined) own.add(volume);
        await dir.sweepTemporaries(DAY_MS);
        await dir.close();
      };
      for (let i = 0; i < volumes.length; i += 64) await Promise.all(volumes.slice(i, i + 64).map(look));
      return own;
    } finally {
      await all.close();
    }
  }

  /**
   * After a reboot of this machine: Docker's and legacy holders of this root are void, mounts by hand are renewed.
   * @returns true if the file was of an earlier boot.
   */
  async renewAfterReboot(state: Dir, volume: string): Promise<boolean> {
    const dir = await this.#open(state, volume, false);
    if (dir === undefined) return false;
    const file = await this.#read(dir, this.#identity.id).finally(() => dir.close());
    if (file === undefined || file.Boot === this.#identity.bootId) return false;
    await this.#change(state, volume, (holders) => [...holders]);
    return true;
  }

  /**
   * Makes a change to the holders' directory, so that an NFS client asks the server for its present content instead
   * of its cache, before something destructive relies on it.
   */
  async refresh(state: Dir, volume: string): Promise<void> {
    const dir = (await this.#open(state, volume, true))!;
    try {
      const probe = `.probe-${newId()}`;
      await dir.createExclusive(probe, "");
      await dir.remove(probe);
    } finally {
      await dir.close();
    }
  }

  /** Forgets the empty holders' directory of a volume that is gone. */
  async forget(state: Dir, volume: string): Promise<void> {
    const all = await state.trySub("holders");
    if (all === undefined) return;
    try {
      const dir = await all.trySub(volume);
      if (dir === undefined) return;
      try {
        for (const name of await dir.list()) await dir.remove(name);
      } finally {
        await dir.close();
      }
      await all.removeDir(volume);
    } finally {
      await all.close();
    }
  }
}

/** `docker 3f2a… on host web1 since …`, for messages. */
export function describeHolder(holder: Holder): string {
  const who =
    holder.kind === "manual" ? "a mount by hand" : holder.kind === "legacy" ? "a mount of Convoy v0.5.2" : "Docker";
  const id = holder.id === "" ? "" : ` ${holder.id.slice(0, 12)}`;
  return `${who}${id} on ${holder.host} (root ${holder.root}, since ${holder.since})`;
}
