import { request } from "node:http";
import type { Driver, Holder } from "../drivers/driver.ts";
import type { Logger } from "../host/log.ts";

/** The engine's plugin call has been answered by then: Docker must not be asked inside one (R9). */
const DELAY_MS = 2_000;
const LIMIT_MS = 2_000;

/**
 * Ends the holder `legacy`, which stands for a mount that v0.5.2 counted with nobody's name, once Docker knows no
 * running container that uses the volume. Docker not answering ends nothing.
 */
export class LegacyHolders {
  readonly #socket: string;
  readonly #log: Logger;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(dockerSocket: string, log: Logger) {
    this.#socket = dockerSocket;
    this.#log = log;
  }

  /** Looks a little later, if a legacy holder is left. */
  checkLater(driver: Driver, volume: string, remaining: readonly Holder[]): void {
    if (!remaining.some((holder) => holder.kind === "legacy")) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#check(driver, volume).catch((error: unknown) => {
        this.#log.debug({ err: error, volume }, "Docker could not be asked about a mount of v0.5.2");
      });
    }, DELAY_MS);
    timer.unref();
    this.#timers.add(timer);
  }

  async #check(driver: Driver, volume: string): Promise<void> {
    if (await this.#isUsed(volume)) return;
    await driver.umount(volume, { holder: { kind: "legacy", id: "" }, force: false, forceRoot: "" });
    this.#log.info({ volume }, "the mount that Convoy v0.5.2 left has ended: no running container uses the volume");
  }

  #isUsed(volume: string): Promise<boolean> {
    const filters = encodeURIComponent(
      JSON.stringify({ volume: [volume], status: ["running", "paused", "restarting"] }),
    );
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.#socket,
          path: `/containers/json?filters=${filters}`,
          timeout: LIMIT_MS,
          headers: { host: "docker" },
        },
        (response) => {
          let body = "";
          response.setEncoding("utf8");
          response.on("data", (text: string) => {
            body += text;
          });
          response.on("error", reject);
          response.on("end", () => {
            try {
              const containers: unknown = JSON.parse(body);
              if (response.statusCode !== 200 || !Array.isArray(containers))
                throw new Error(`Docker answered ${response.statusCode}`);
              resolve(containers.length > 0);
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      call.on("timeout", () => call.destroy(new Error(`Docker did not answer in ${LIMIT_MS} ms`)));
      call.on("error", reject);
      call.end();
    });
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
