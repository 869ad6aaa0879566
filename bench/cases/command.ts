import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CONVOY, Daemon } from "../../test/lab/daemon.ts";
import { OriginalState } from "../../test/lab/original.ts";
import { succeed } from "../../test/lab/run.ts";
import { Scratch } from "../../test/lab/scratch.ts";
import { atMost, below, type Case, interleaved, median, millis, time } from "../measure.ts";

/** Start of the command against the bare start of Node.js. */
export const command: Case = {
  name: "command",
  async run() {
    const scratch = new Scratch();
    try {
      const daemon = await Daemon.start(scratch);
      await daemon.ok("create", "vol1");
      const competitors = {
        ours: () => time(() => succeed(CONVOY, ["--socket", daemon.socket, "list"])),
        node: () => time(() => succeed(process.execPath, ["-e", "0"])),
      };
      await interleaved(5, competitors);
      const { ours, node } = await interleaved(41, competitors);
      return [atMost("`convoy list` / `node -e 0` (medians)", ours, node, 1.9, millis)];
    } finally {
      await scratch.giveBack();
    }
  },
};

/** Ten thousand volumes: listing them, and starting a daemon that has them. */
export const scale: Case = {
  name: "scale",
  async run() {
    const scratch = new Scratch();
    try {
      const base = await scratch.directory("scale");
      await mkdir(join(base, "root"));
      const state = await OriginalState.make(join(base, "root"), join(base, "vfs"));
      for (let number = 0; number < 10_000; number += 1) await state.volume(`vol-${String(number).padStart(5, "0")}`);
      const daemon = await Daemon.start(scratch, { root: state.root, path: state.path, configured: true });
      const starts: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        await daemon.stop();
        starts.push(await time(() => daemon.start()));
      }
      const lists: number[] = [];
      for (let round = 0; round < 7; round += 1) {
        lists.push(await time(() => succeed(CONVOY, ["--socket", daemon.socket, "list"])));
      }
      return [
        below("`convoy list` with 10,000 volumes (median)", median(lists), 300, millis),
        below("start of the daemon with 10,000 volumes (median)", median(starts), 2000, millis),
      ];
    } finally {
      await scratch.giveBack();
    }
  },
};
