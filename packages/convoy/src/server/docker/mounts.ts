import { messageOf } from "../../errors.ts";
import { logFailure } from "../../host/failure-log.ts";
import type { Logger } from "../../host/log.ts";
import type { VolumesApi } from "../../volumes/api.ts";
import { withLimit } from "../limit.ts";

/** Docker gives up on Mount after two minutes and then reports nothing but its own time limit. */
export const DOCKER_LIMIT_MS = 100_000;

interface RunningMount {
  work: Promise<string>;
  /** Requests that still wait for it. */
  waiting: number;
  /** Set while the mount is taken back because nobody waits any more. */
  takenBack?: Promise<void>;
}

/**
 * Docker's mounts. Docker repeats its requests: one that repeats a running one (same volume, same caller id) joins it.
 * A mount that takes too long is answered with an error before Docker gives up; if it succeeds afterwards, it is taken
 * back, because Docker has already told its user that the container did not start and will send no Unmount.
 */
export class DockerMounts {
  readonly #volumes: VolumesApi;
  readonly #log: Logger;
  readonly #limitMs: number;
  readonly #running = new Map<string, RunningMount>();

  constructor(volumes: VolumesApi, log: Logger, limitMs = DOCKER_LIMIT_MS) {
    this.#volumes = volumes;
    this.#log = log;
    this.#limitMs = limitMs;
  }

  /** @returns the mount point. @throws TIMEOUT after the limit. */
  async mount(name: string, id: string): Promise<string> {
    const key = JSON.stringify([name, id]);
    let running = this.#running.get(key);
    // A mount that is just being taken back is no mount to join: its holder goes.
    while (running?.takenBack !== undefined) {
      await running.takenBack;
      running = this.#running.get(key);
    }
    if (running === undefined) {
      running = { work: this.#volumes.mountForDocker(name, id), waiting: 0 };
      this.#running.set(key, running);
      this.#follow(key, running, name, id);
    }
    running.waiting++;
    try {
      return await withLimit(
        running.work,
        this.#limitMs,
        `Mounting volume ${name} still runs after ${this.#limitMs / 1000} s; it is given up, because Docker waits no longer`,
        "See the daemon's log for what the mount waits for, then start the container again.",
      );
    } finally {
      running.waiting--;
    }
  }

  async #follow(key: string, running: RunningMount, name: string, id: string): Promise<void> {
    try {
      await running.work;
      // Requests without a caller id share one holder; it may belong to a container that runs.
      if (running.waiting > 0 || id === "") return;
      running.takenBack = this.#takeBack(name, id).finally(() => this.#running.delete(key));
      await running.takenBack;
    } catch (error) {
      // Whoever waits logs it with the answer.
      if (running.waiting === 0) logFailure(this.#log, error, { operation: "VolumeDriver.Mount", volume: name });
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key);
    }
  }

  async #takeBack(name: string, id: string): Promise<void> {
    try {
      await this.#volumes.umountForDocker(name, id);
      this.#log.warn({ volume: name }, "a mount for Docker took too long and was taken back");
    } catch (error) {
      this.#log.error(
        { volume: name },
        `a mount for Docker took too long and cannot be taken back: ${messageOf(error)}`,
      );
    }
  }
}
