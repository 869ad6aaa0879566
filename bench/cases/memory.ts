import { join } from "node:path";
import { backupUrl, Daemon } from "../../test/lab/daemon.ts";
import { Scratch } from "../../test/lab/scratch.ts";
import { writeTree } from "../data.ts";
import { below, type Case, type Row } from "../measure.ts";

const ROUNDS = 2;
const IDLE_LIMIT = 90e6;
const BUSY_LIMIT = 200e6;

/** The daemon's resident memory, idle and while it copies, backs up and restores the 1 GiB tree, twice each. */
export const memory: Case = {
  name: "memory",
  async run() {
    const scratch = new Scratch();
    try {
      const daemon = await Daemon.start(scratch);
      const rows: Row[] = [];
      const store = await scratch.directory("store");
      await daemon.ok("create", "vol1");
      await daemon.ok("list");
      rows.push(below("memory of the idle daemon (RSS)", (await daemon.memory()).present, IDLE_LIMIT, megabytes));
      await writeTree(join(daemon.path, "vol1"));

      const highest = { snapshot: 0, backup: 0, restore: 0 };
      const during = async <T>(what: keyof typeof highest, work: () => Promise<T>): Promise<T> => {
        await daemon.resetHighest();
        const result = await work();
        highest[what] = Math.max(highest[what], (await daemon.memory()).highest);
        return result;
      };
      for (let round = 1; round <= ROUNDS; round += 1) {
        await during("snapshot", () => daemon.ok("snapshot", "create", "vol1", "--name", `snap${round}`));
        const url = await during("backup", () =>
          daemon.ok("backup", "create", `snap${round}`, "--dest", `vfs://${store}`),
        );
        await during("restore", () => daemon.ok("create", `res${round}`, "--backup", backupUrl(url)));
      }
      for (const what of ["snapshot", "backup", "restore"] as const) {
        rows.push(below(`highest memory of the daemon during a ${what} (RSS)`, highest[what], BUSY_LIMIT, megabytes));
      }
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      const idleAgain = (await daemon.memory()).present;
      rows.push(below("memory of the daemon, idle for 20 s after all that (RSS)", idleAgain, IDLE_LIMIT, megabytes));
      return rows;
    } finally {
      await scratch.giveBack();
    }
  },
};

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
