import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { backupUrl, type Daemon } from "../lab/daemon.ts";
import type { Random } from "../lab/random.ts";

/** What a client has begun and has had no answer to when the daemon dies: it may have happened or not, but nothing between. */
type Pending =
  | { kind: "create"; volume: string }
  | { kind: "restore"; volume: string; url: string }
  | { kind: "delete" | "detach"; volume: string }
  | { kind: "rename"; volume: string; to: string }
  | { kind: "snapshot"; volume: string; snapshot: string }
  | { kind: "snapshot-delete"; snapshot: string }
  | { kind: "backup"; snapshot: string }
  | { kind: "backup-delete"; url: string };

/**
 * A client that works on names of its own, one request after the other, and remembers what was acknowledged. After a
 * crash `check` compares that with what the daemon and the disk say.
 */
export class CrashClient {
  readonly #daemon: Daemon;
  readonly #store: string;
  readonly #prefix: string;
  readonly #random: Random;
  readonly #volumes = new Map<string, string>();
  readonly #detached = new Map<string, string>();
  readonly #snapshots = new Map<string, { volume: string; content: string }>();
  readonly #backups = new Map<string, string>();
  #pending: Pending | undefined;
  #serial = 0;
  /** Called after every acknowledgement. */
  onAcknowledged: () => void = () => undefined;

  constructor(daemon: Daemon, store: string, prefix: string, random: Random) {
    this.#daemon = daemon;
    this.#store = store;
    this.#prefix = prefix;
    this.#random = random;
  }

  /** Works until the daemon is gone. An answer other than success is a failure of the test. */
  async work(): Promise<void> {
    for (;;) {
      const step = this.#choose();
      this.#pending = step;
      let answer: { status: number; body: string };
      try {
        answer = await this.#request(step);
      } catch {
        return;
      }
      expect(answer, JSON.stringify(step)).toMatchObject({ status: 200 });
      this.#pending = undefined;
      await this.#happened(step, answer.body);
      this.onAcknowledged();
    }
  }

  #fresh(kind: string): string {
    this.#serial += 1;
    return `${this.#prefix}-${kind}${this.#serial}`;
  }

  #choose(): Pending {
    const volumes = [...this.#volumes.keys()];
    const snapshots = [...this.#snapshots.keys()];
    const backups = [...this.#backups.keys()];
    const kinds: Pending["kind"][] = volumes.length < 4 ? ["create"] : ["delete", "delete", "detach"];
    if (volumes.length > 0) kinds.push("rename", "snapshot", "snapshot", "snapshot");
    if (snapshots.length > 0) kinds.push("snapshot-delete", "backup", "backup");
    if (backups.length > 0 && volumes.length < 6) kinds.push("restore", "restore");
    if (backups.length > 2) kinds.push("backup-delete");
    const kind = this.#random.pick(kinds);
    switch (kind) {
      case "create":
        return { kind, volume: this.#fresh("vol") };
      case "restore":
        return { kind, volume: this.#fresh("res"), url: this.#random.pick(backups) };
      case "delete":
      case "detach":
        return { kind, volume: this.#random.pick(volumes) };
      case "rename":
        return { kind, volume: this.#random.pick(volumes), to: this.#fresh("ren") };
      case "snapshot":
        return { kind, volume: this.#random.pick(volumes), snapshot: this.#fresh("snap") };
      case "snapshot-delete":
      case "backup":
        return { kind, snapshot: this.#random.pick(snapshots) };
      case "backup-delete":
        return { kind, url: this.#random.pick(backups) };
    }
  }

  #request(step: Pending): Promise<{ status: number; body: string }> {
    const rest = (method: string, path: string, body: object) => this.#daemon.rest(method, path, body);
    switch (step.kind) {
      case "create":
        return rest("POST", "/volumes/create", { Name: step.volume });
      case "restore":
        return rest("POST", "/volumes/create", { Name: step.volume, BackupURL: step.url });
      case "delete":
        return rest("DELETE", "/volumes/", { VolumeName: step.volume });
      case "detach":
        return rest("DELETE", "/volumes/", { VolumeName: step.volume, ReferenceOnly: true });
      case "rename":
        return rest("POST", "/volumes/rename", { VolumeName: step.volume, NewName: step.to });
      case "snapshot":
        return rest("POST", "/snapshots/create", { VolumeName: step.volume, Name: step.snapshot });
      case "snapshot-delete":
        return rest("DELETE", "/snapshots/", { SnapshotName: step.snapshot });
      case "backup":
        return rest("POST", "/backups/create", { SnapshotName: step.snapshot, URL: `vfs://${this.#store}` });
      case "backup-delete":
        return rest("DELETE", "/backups", { URL: step.url });
    }
  }

  async #happened(step: Pending, body: string): Promise<void> {
    switch (step.kind) {
      case "create":
        this.#volumes.set(step.volume, await this.#fill(step.volume));
        return;
      case "restore":
        this.#volumes.set(step.volume, this.#backups.get(step.url)!);
        return;
      case "delete":
      case "detach":
        if (step.kind === "detach") this.#detached.set(step.volume, this.#volumes.get(step.volume)!);
        this.#volumes.delete(step.volume);
        for (const [name, { volume }] of this.#snapshots) if (volume === step.volume) this.#snapshots.delete(name);
        return;
      case "rename": {
        this.#volumes.set(step.to, this.#volumes.get(step.volume)!);
        this.#volumes.delete(step.volume);
        for (const snapshot of this.#snapshots.values()) if (snapshot.volume === step.volume) snapshot.volume = step.to;
        return;
      }
      case "snapshot":
        this.#snapshots.set(step.snapshot, { volume: step.volume, content: this.#volumes.get(step.volume)! });
        return;
      case "snapshot-delete":
        this.#snapshots.delete(step.snapshot);
        return;
      case "backup":
        this.#backups.set(backupUrl(body), this.#snapshots.get(step.snapshot)!.content);
        return;
      case "backup-delete":
        this.#backups.delete(step.url);
    }
  }

  /** Writes a volume's data: many small files and one that takes a moment to copy. @returns what identifies it. */
  async #fill(volume: string): Promise<string> {
    const content = `${volume}/${this.#random.between(0, 1e9)}`;
    const directory = join(this.#daemon.path, volume);
    await mkdir(join(directory, "many"));
    for (let number = 0; number < 15; number += 1) await writeFile(join(directory, `many/${number}`), content);
    await writeFile(join(directory, "big"), content.repeat(40_000));
    return content;
  }

  /** After the restart: settles what was pending, then compares everything. */
  async check(): Promise<void> {
    if (this.#pending !== undefined) await this.#settle(this.#pending);
    this.#pending = undefined;
    const listed = (await this.#daemon.volumes()).filter((name) => name.startsWith(`${this.#prefix}-`));
    expect(listed).toEqual([...this.#volumes.keys()].sort());
    for (const [name, content] of this.#volumes)
      expect(await this.#contentOf(join(this.#daemon.path, name))).toBe(content);
    const detached = Object.keys(await this.#daemon.json("list", "--detached"));
    expect(detached.filter((name) => name.startsWith(`${this.#prefix}-`)).sort()).toEqual(
      [...this.#detached.keys()].sort(),
    );
    for (const [name, content] of this.#detached)
      expect(await this.#contentOf(join(this.#daemon.path, name))).toBe(content);
    for (const [name, { volume, content }] of this.#snapshots) {
      const found = await this.#snapshot(name);
      expect(found?.VolumeName, name).toBe(volume);
      expect(await this.#contentOf(found!.DriverInfo.FilePath)).toBe(content);
    }
    expect((await this.#ownBackups()).sort()).toEqual([...this.#backups.keys()].map(idOf).sort());
    const files = (await readdir(this.#daemon.path)).filter((name) => name.startsWith(`${this.#prefix}-`));
    expect(files.sort()).toEqual([...this.#volumes.keys(), ...this.#detached.keys()].sort());
  }

  /** Restores every backup that was acknowledged and compares. */
  async checkBackups(): Promise<number> {
    let number = 0;
    for (const [url, content] of this.#backups) {
      number += 1;
      const name = `${this.#prefix}-check${number}`;
      await this.#daemon.ok("create", name, "--backup", url);
      expect(await this.#contentOf(join(this.#daemon.path, name))).toBe(content);
      await this.#daemon.ok("delete", name);
    }
    return number;
  }

  async #settle(step: Pending): Promise<void> {
    const listed = await this.#daemon.volumes();
    const happened = async () => {
      switch (step.kind) {
        case "create":
        case "restore":
          return listed.includes(step.volume);
        case "delete":
        case "detach":
          return !listed.includes(step.volume);
        case "rename":
          return listed.includes(step.to);
        case "snapshot":
          return (await this.#snapshot(step.snapshot)) !== undefined;
        case "snapshot-delete":
          return (await this.#snapshot(step.snapshot)) === undefined;
        case "backup":
          return (await this.#ownBackups()).some((id) => ![...this.#backups.keys()].map(idOf).includes(id));
        case "backup-delete":
          return !(await this.#ownBackups()).includes(idOf(step.url));
      }
    };
    if (!(await happened())) return;
    const unknown = (await this.#ownUrls()).find((url) => ![...this.#backups.keys()].map(idOf).includes(idOf(url)));
    await this.#happened(step, unknown ?? "");
  }

  async #snapshot(name: string): Promise<{ VolumeName: string; DriverInfo: { FilePath: string } } | undefined> {
    const answer = await this.#daemon.rest("GET", "/snapshots/", { SnapshotName: name });
    if (answer.status === 200)
      return JSON.parse(answer.body) as { VolumeName: string; DriverInfo: { FilePath: string } };
    expect(answer.body).toContain(`cannot find volume for snapshot ${name}`);
    return undefined;
  }

  async #ownUrls(): Promise<string[]> {
    const all = await this.#daemon.json<Record<string, { SnapshotName: string }>>(
      "backup",
      "list",
      `vfs://${this.#store}`,
    );
    return Object.entries(all)
      .filter(([, { SnapshotName }]) => SnapshotName.startsWith(`${this.#prefix}-`))
      .map(([url]) => url);
  }

  async #ownBackups(): Promise<string[]> {
    return (await this.#ownUrls()).map(idOf);
  }

  /** What identifies the data below a directory; all files have to agree. */
  async #contentOf(directory: string): Promise<string> {
    if (!existsSync(join(directory, "big")))
      throw new Error(`${directory} is not complete: ${await readdir(directory)}`);
    const big = await readFile(join(directory, "big"), "utf8");
    const content = await readFile(join(directory, "many/0"), "utf8");
    expect(big).toBe(content.repeat(40_000));
    const many = await readdir(join(directory, "many"));
    expect(many).toHaveLength(15);
    for (const name of many) expect(await readFile(join(directory, "many", name), "utf8")).toBe(content);
    return content;
  }
}

/** A backup's name: the listing spells the rest of the URL in its own way. */
function idOf(url: string): string {
  return /backup=([^&]*)/.exec(url)?.[1] ?? url;
}
