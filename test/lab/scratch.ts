import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach } from "vitest";
import { PREFIX, removeDirectory } from "./sweep.ts";

type GiveBack = () => Promise<unknown> | unknown;

/** What a test has taken and must give back, newest first, even when the test fails. */
export class Scratch {
  readonly #taken: GiveBack[] = [];

  /** Registers how to give something back. */
  defer(giveBack: GiveBack): void {
    this.#taken.push(giveBack);
  }

  /** A new empty directory. Its name holds our process id, so that `sweep` finds what a killed run left. */
  async directory(label = "dir"): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-${label}-`));
    this.defer(() => removeDirectory(path));
    return path;
  }

  /** Gives everything back; one failure does not keep the rest. */
  async giveBack(): Promise<void> {
    const failures: unknown[] = [];
    for (let next = this.#taken.pop(); next !== undefined; next = this.#taken.pop()) {
      try {
        await next();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `giving back failed: ${failures.join("; ")}`);
  }
}

/** A Scratch that gives back after each test of the suite that calls this. */
export function scratchPerTest(): Scratch {
  const scratch = new Scratch();
  afterEach(() => scratch.giveBack());
  return scratch;
}

/** A Scratch that gives back after the suite that calls this. */
export function scratchPerSuite(): Scratch {
  const scratch = new Scratch();
  afterAll(() => scratch.giveBack());
  return scratch;
}
