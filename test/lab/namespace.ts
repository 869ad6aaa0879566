import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { endChild, succeed } from "./run.ts";
import type { Scratch } from "./scratch.ts";

/**
 * A mount namespace of its own, in which commands of the documentation may use the paths that they name without
 * touching the machine's. Needs root.
 */
export class Namespace {
  readonly #pid: number;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  /** A namespace in which the given directories are empty (made on the machine if missing). */
  static async make(scratch: Scratch, empty: readonly string[]): Promise<Namespace> {
    const keeper = spawn("unshare", ["-m", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 3600"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    scratch.defer(() => endChild(keeper, "SIGKILL", 5000));
    await once(keeper.stdout, "data");
    const namespace = new Namespace(keeper.pid!);
    for (const directory of empty) {
      await mkdir(directory, { recursive: true });
      await succeed("nsenter", namespace.enter("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", directory));
    }
    return namespace;
  }

  /** Arguments of `nsenter` that run a program inside. */
  enter(program: string, ...args: string[]): string[] {
    return [`--target=${this.#pid}`, "--mount", "--", program, ...args];
  }
}
