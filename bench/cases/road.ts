import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { backupUrl, Daemon } from "../../test/lab/daemon.ts";
import { mountLoop, needFileSystem } from "../../test/lab/filesystems.ts";
import { succeed } from "../../test/lab/run.ts";
import { Scratch } from "../../test/lab/scratch.ts";
import { writeTree } from "../data.ts";
import {
  atMost,
  type Case,
  interleaved,
  mebibytes,
  type Row,
  seconds,
  syncFileSystem,
  tarGzip,
  time,
} from "../measure.ts";

const LONG = { timeoutMs: 900_000 };

/** Snapshot, backup and restore of the 1 GiB tree against cp and tar. */
export const road: Case = {
  name: "road",
  async run() {
    const scratch = new Scratch();
    try {
      const bench = await Bench.make(scratch, await scratch.directory("bench"));
      return [...(await bench.snapshot()), ...(await bench.backup()), ...(await bench.restore())];
    } finally {
      await scratch.giveBack();
    }
  },
};

/** Snapshots on XFS, where data are shared instead of copied. */
export const reflink: Case = {
  name: "reflink",
  async run() {
    const reason = await needFileSystem("xfs");
    if (reason !== undefined) throw new Error(reason);
    const scratch = new Scratch();
    try {
      const point = await mountLoop(scratch, "xfs", 6 << 10);
      const bench = await Bench.make(scratch, point);
      return [await bench.snapshotAgainst("snapshot with reflinks (XFS)", "--reflink=always", 2, 5)];
    } finally {
      await scratch.giveBack();
    }
  },
};

class Bench {
  readonly #daemon: Daemon;
  readonly #base: string;
  readonly #tree: string;
  readonly #store: string;
  #url = "";

  private constructor(daemon: Daemon, base: string) {
    this.#daemon = daemon;
    this.#base = base;
    this.#tree = join(daemon.path, "vol1");
    this.#store = join(base, "store");
  }

  /** A daemon whose volumes lie below `base`, with the tree in its volume vol1, read once so that it is in memory. */
  static async make(scratch: Scratch, base: string): Promise<Bench> {
    const daemon = await Daemon.start(scratch, { path: join(base, "vfs") });
    const bench = new Bench(daemon, base);
    await daemon.ok("create", "vol1");
    await writeTree(bench.#tree);
    await mkdir(bench.#store);
    await syncFileSystem(base);
    await succeed("cp", ["-a", bench.#tree, join(base, "warm")], LONG);
    await rm(join(base, "warm"), { recursive: true });
    await syncFileSystem(base);
    return bench;
  }

  async #request(method: string, path: string, body: object): Promise<string> {
    const answer = await this.#daemon.rest(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer.body;
  }

  async snapshotAgainst(what: string, option: string, limit: number, rounds: number): Promise<Row> {
    const { ours, copy } = await interleaved(rounds, {
      copy: async () => {
        const target = join(this.#base, "copy");
        const took = await time(async () => {
          await succeed("cp", ["-a", option, this.#tree, target], LONG);
          await syncFileSystem(this.#base);
        });
        await rm(target, { recursive: true });
        await syncFileSystem(this.#base);
        return took;
      },
      ours: async () => {
        const took = await time(() =>
          this.#request("POST", "/snapshots/create", { VolumeName: "vol1", Name: "measured" }),
        );
        await this.#request("DELETE", "/snapshots/", { SnapshotName: "measured" });
        await syncFileSystem(this.#base);
        return took;
      },
    });
    return atMost(`${what} / \`cp -a ${option}\`, \`sync -f\``, ours, copy, limit, seconds);
  }

  async snapshot(): Promise<Row[]> {
    return [await this.snapshotAgainst("snapshot, full copy", "--sparse=auto", 1.5, 5)];
  }

  async backup(): Promise<Row[]> {
    await this.#request("POST", "/snapshots/create", { VolumeName: "vol1", Name: "kept" });
    const archive = join(this.#base, "yardstick.tar.gz");
    await syncFileSystem(this.#base);
    const { ours, gzip } = await interleaved(3, {
      gzip: () =>
        time(async () => {
          await tarGzip(this.#tree, archive);
          await syncFileSystem(this.#base);
        }),
      ours: async () => {
        if (this.#url !== "") await this.#request("DELETE", "/backups", { URL: this.#url });
        await syncFileSystem(this.#base);
        return time(async () => {
          const url = await this.#request("POST", "/backups/create", {
            SnapshotName: "kept",
            URL: `vfs://${this.#store}`,
          });
          await syncFileSystem(this.#base);
          this.#url = backupUrl(url);
        });
      },
    });
    const speed = gzip / ours;
    return [
      {
        what: "backup to a directory / `tar | gzip`, `sync -f`",
        ours: seconds(ours),
        yardstick: seconds(gzip),
        result: `${speed.toFixed(2)} x faster`,
        limit: "at least 4 x faster",
        ok: speed >= 4,
      },
      atMost(
        "size of the store / size of `tar | gzip`",
        await sizeOf(this.#store),
        (await stat(archive)).size,
        1.04,
        mebibytes,
      ),
    ];
  }

  async restore(): Promise<Row[]> {
    const archive = join(this.#base, "yardstick.tar.gz");
    const { ours, tar } = await interleaved(3, {
      tar: async () => {
        const target = join(this.#base, "extracted");
        await mkdir(target);
        const took = await time(async () => {
          await succeed("tar", ["xzf", archive, "-C", target], LONG);
          await syncFileSystem(this.#base);
        });
        await rm(target, { recursive: true });
        await syncFileSystem(this.#base);
        return took;
      },
      ours: async () => {
        const took = await time(() => this.#request("POST", "/volumes/create", { Name: "res1", BackupURL: this.#url }));
        await this.#request("DELETE", "/volumes/", { VolumeName: "res1" });
        await syncFileSystem(this.#base);
        return took;
      },
    });
    return [atMost("restore / `tar xzf`, `sync -f`", ours, tar, 1.1, seconds)];
  }
}

/** Bytes of all files below a directory. */
async function sizeOf(directory: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return sum;
}
