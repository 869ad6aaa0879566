import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { Daemon } from "../../test/lab/daemon.ts";
import { mountTmpfs } from "../../test/lab/filesystems.ts";
import { Scratch } from "../../test/lab/scratch.ts";
import { writeTree } from "../data.ts";
import { atMost, below, type Case, median, millis, percentile, type Row, time } from "../measure.ts";

const REPEAT = 200;

interface Times {
  inspect: number[];
  mount: number[];
  umount: number[];
  list: number[];
  /** Three durable writes, one after the other. */
  durable: number[];
}

/** Inspect, mount and unmount through the socket, on tmpfs and on disk. */
export const requests: Case = {
  name: "requests",
  async run() {
    const scratch = new Scratch();
    try {
      const memory = await Daemon.start(scratch, { base: join(await mountTmpfs(scratch, 64), "daemon") });
      const disk = await Daemon.start(scratch);
      const inMemory = await measure(memory);
      const onDisk = await measure(disk);
      const three = median(onDisk.durable);
      return [
        ...(["inspect", "mount", "umount"] as const).map((name) =>
          below(`${name}, root and volumes on tmpfs (median)`, median(inMemory[name]), 5, millis),
        ),
        ...(["inspect", "mount", "umount"] as const).map((name) =>
          atMost(`${name} on disk / three durable writes (medians)`, median(onDisk[name]), three, 1, millis),
        ),
      ];
    } finally {
      await scratch.giveBack();
    }
  },
};

/** The same requests while a backup keeps both cores busy. */
export const duringBackup: Case = {
  name: "during-backup",
  async run() {
    const scratch = new Scratch();
    try {
      const base = await scratch.directory("bench");
      const daemon = await Daemon.start(scratch, { path: join(base, "vfs") });
      await daemon.ok("create", "big");
      await writeTree(join(daemon.path, "big"));
      await daemon.ok("snapshot", "create", "big", "--name", "kept");
      await daemon.ok("create", "vol1");
      let running = true;
      const store = await scratch.directory("store");
      const backup = daemon
        .rest("POST", "/backups/create", { SnapshotName: "kept", URL: `vfs://${store}` })
        .finally(() => {
          running = false;
        });
      const times: Record<"inspect" | "list" | "mount", number[]> = { inspect: [], list: [], mount: [] };
      while (running) {
        times.inspect.push(await time(() => daemon.rest("GET", "/volumes/", { VolumeName: "vol1" })));
        times.list.push(await time(() => daemon.rest("GET", "/volumes/list")));
        times.mount.push(await time(() => daemon.rest("POST", "/volumes/mount", { VolumeName: "vol1" })));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const answer = await backup;
      if (answer.status !== 200) throw new Error(`the backup failed: ${answer.body}`);
      const rows: Row[] = (["inspect", "list"] as const).map((name) => {
        const [middle, high] = [median(times[name]), percentile(times[name], 99)];
        return {
          what: `${name} while a backup runs (${times[name].length} requests)`,
          ours: `median ${millis(middle)}, 99 % below ${millis(high)}, longest ${millis(Math.max(...times[name]))}`,
          yardstick: "",
          result: `99 %: ${millis(high)}`,
          limit: `below ${millis(10)}`,
          ok: high < 10,
        };
      });
      const longest = Math.max(...times.mount);
      rows.push(below("longest mount while a backup runs: no request waits for it", longest, 1000, millis));
      return rows;
    } finally {
      await scratch.giveBack();
    }
  },
};

async function measure(daemon: Daemon): Promise<Times> {
  const times: Times = { inspect: [], mount: [], umount: [], list: [], durable: [] };
  await daemon.ok("create", "vol1");
  const body = { VolumeName: "vol1" };
  for (let round = 0; round < REPEAT + 20; round += 1) {
    const measured = {
      durable: await time(async () => {
        for (let write = 0; write < 3; write += 1) await durableWrite(daemon.base, "measured");
      }),
      inspect: await time(() => daemon.rest("GET", "/volumes/", body)),
      list: await time(() => daemon.rest("GET", "/volumes/list")),
      mount: await time(() => daemon.rest("POST", "/volumes/mount", body)),
      umount: await time(() => daemon.rest("POST", "/volumes/umount", body)),
    };
    // The first rounds warm up.
    if (round >= 20) for (const name of Object.keys(measured) as (keyof Times)[]) times[name].push(measured[name]);
  }
  return times;
}

/** A small file written so that it survives a power cut: write, fsync, rename, fsync of the directory. */
async function durableWrite(directory: string, name: string): Promise<void> {
  const file = await open(join(directory, `${name}.tmp`), "w");
  await file.writeFile(Buffer.alloc(300, "x"));
  await file.sync();
  await file.close();
  await rename(join(directory, `${name}.tmp`), join(directory, name));
  const handle = await open(directory, "r");
  await handle.sync();
  await handle.close();
}
