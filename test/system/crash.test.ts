import { existsSync } from "node:fs";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Daemon } from "../lab/daemon.ts";
import { Random } from "../lab/random.ts";
import { scratchPerTest } from "../lab/scratch.ts";
import { CrashClient } from "./crash-client.ts";

const ROUNDS = 10;
const SEED = Number(process.env["CONVOY_SEED"] ?? 20260411);

describe("the daemon is killed at any moment", () => {
  const scratch = scratchPerTest();

  test(`what was acknowledged is there, nothing is half-made, nothing is left over (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    const store = await scratch.directory("store");
    const daemon = await Daemon.start(scratch);
    const clients = [0, 1, 2].map((number) => new CrashClient(daemon, store, `c${number}`, new Random(SEED + number)));
    for (let round = 0; round < ROUNDS; round += 1) {
      const moment = after(clients, random.between(1, 30));
      const work = Promise.all(clients.map((client) => client.work()));
      await Promise.race([work, moment]);
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 60)));
      await daemon.kill();
      await work;
      await daemon.start();
      for (const client of clients) await client.check();
    }
    for (const client of clients) await client.checkBackups();
    await daemon.stop();
    await ageTemporaries(daemon.path);
    await daemon.start();
    await expectNoLeftovers(daemon, store);
  }, 240_000);

  /** Resolves when the clients together have had so many more acknowledgements. */
  function after(clients: readonly CrashClient[], count: number): Promise<void> {
    return new Promise((resolve) => {
      let left = count;
      for (const client of clients) {
        client.onAcknowledged = () => {
          left -= 1;
          if (left === 0) resolve();
        };
      }
    });
  }

  /** Temporary files may belong to another host's daemon at work, so they go when they are more than a day old. */
  async function ageTemporaries(path: string): Promise<void> {
    const old = Date.now() / 1000 - 2 * 86_400;
    for (const file of await readdir(path, { recursive: true })) {
      if (file.endsWith(".tmp")) await utimes(join(path, file), old, old);
    }
  }

  /** No trees in the making or in removal, no open intents, no archive without its cfg, no temporary file. */
  async function expectNoLeftovers(daemon: Daemon, store: string): Promise<void> {
    const state = join(daemon.path, "config/.convoy");
    for (const place of ["new", "trash", "intents"]) {
      if (existsSync(join(state, place))) expect(await readdir(join(state, place))).toEqual([]);
    }
    const files = await readdir(daemon.path, { recursive: true });
    expect(files.filter((file) => file.endsWith(".tmp"))).toEqual([]);
    const stored = await readdir(join(store, "convoy-objectstore"), { recursive: true });
    expect(stored.filter((file) => file.startsWith("volumes/") && file.endsWith(".tmp"))).toEqual([]);
  }
});
