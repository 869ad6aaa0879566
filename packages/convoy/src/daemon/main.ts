import { mkdir } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import type { Driver } from "../drivers/driver.ts";
import { DRIVER_NAMES } from "../drivers/registry.ts";
import { ConvoyError, messageOf } from "../errors.ts";
import { Dir } from "../host/dir.ts";
import { goJson } from "../host/go-json.ts";
import { type Logger, type OpenLog, openLog } from "../host/log.ts";
import { limitMalloc } from "../host/memory.ts";
import { RootState } from "../host/root.ts";
import { VERSION } from "../version.ts";
import type { VolumesApi } from "../volumes/api.ts";
import { closeDrivers, createConvoyServer, driverOrder, openDrivers, openVolumes } from "./assemble.ts";
import { checkFlags } from "./check-flags.ts";
import { CONFIG_FILE } from "./config-file.ts";
import { groupId } from "./group.ts";
import { checkMountNamespace } from "./mount-namespace.ts";
import type { DaemonOptions } from "./options.ts";
import { Resources } from "./resources.ts";
import { lockRoot } from "./root-lock.ts";
import { loadSettings, reportWithoutEffect, type Settings } from "./settings.ts";
import { checkSocketPath, ListeningSocket } from "./socket.ts";
import { writeSpecFile } from "./spec-file.ts";
import { StopSignals } from "./stop-signals.ts";
import { widenThreadPool } from "./thread-pool.ts";

/** How long a stop waits for running operations, and then for the last answers; below systemd's 90 s together. */
const FINISH_MS = 60_000;
const DRAIN_MS = 10_000;

/** Name of the resource that the server's end needs closed in between. */
const VOLUMES = "volumes";

/**
 * Runs the daemon in the foreground until a signal ends it.
 * @returns the exit code: 0 after a clean end, 1 if it could not start; then standard output has the error object of
 * v0.5.2 and the log, or standard error, the reason and what to do.
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  limitMalloc();
  widenThreadPool();
  const stderrLog = openLog({
    level: options.logLevel,
    format: options.log === undefined ? options.logFormat : "text",
  });
  const daemon = new Daemon(options, stderrLog);
  try {
    await daemon.run();
    return 0;
  } catch (error) {
    daemon.reportFailure(error);
    return 1;
  } finally {
    await daemon.close();
  }
}

class Daemon {
  readonly #options: DaemonOptions;
  readonly #signals: StopSignals;
  readonly #resources = new Resources();
  #opened: OpenLog;
  #logsToFile = false;

  constructor(options: DaemonOptions, log: OpenLog) {
    this.#options = { ...options, socket: absolute(options.socket), root: absolute(options.root) };
    this.#opened = log;
    this.#signals = new StopSignals(log.log);
    this.#resources.add("signals", async () => this.#signals.close());
    this.#watchProcess();
  }

  get #log(): Logger {
    return this.#opened.log;
  }

  async run(): Promise<void> {
    const options = this.#options;
    // Everything that can be refused is refused before anything is touched.
    await checkSocketPath(options.socket);
    const gid = options.socketGroup === undefined ? undefined : await groupId(options.socketGroup);
    await checkFlags(options);
    const root = await this.#openRoot();
    this.#openLogFile();
    const settings = await loadSettings(root, options, DRIVER_NAMES, this.#log);
    reportWithoutEffect(options, settings.config, this.#log);
    await checkMountNamespace(settings.config.MountNamespaceFD);
    const state = await this.#openState(root);

    const drivers = await openDrivers(driverOrder(settings.config), options, state, this.#log);
    const volumes = await this.#openVolumes(drivers, settings, state);
    await settings.save();
    const server = createConvoyServer(volumes, settings, this.#log);
    const socket = await ListeningSocket.open(server.http, options.socket, gid, this.#log);
    this.#resources.add("server", async () => {
      await socket.remove();
      server.stopAccepting();
      await this.#resources.closeOne(VOLUMES);
      const cutOff = await server.drain(DRAIN_MS);
      if (cutOff > 0) this.#log.warn({ requests: cutOff }, "requests were still running and have been cut off");
    });
    if (options.dockerSpec !== undefined) await writeSpecFile(absolute(options.dockerSpec), options.socket);
    this.#log.info({ version: VERSION, socket: options.socket, root: options.root, drivers: volumes.drivers }, "ready");
    await this.#signals.requested();
  }

  async #openVolumes(drivers: readonly Driver[], settings: Settings, state: RootState): Promise<VolumesApi> {
    try {
      const volumes = await openVolumes(drivers, settings, state, this.#log);
      this.#resources.add(VOLUMES, () => volumes.shutdown(FINISH_MS));
      return volumes;
    } catch (error) {
      await closeDrivers(drivers, this.#log);
      throw error;
    }
  }

  /** Makes the root if need be and locks it. */
  async #openRoot(): Promise<Dir> {
    await mkdir(this.#options.root, { recursive: true, mode: 0o700 });
    const root = await Dir.open(this.#options.root);
    this.#resources.add("root", () => root.close());
    const lock = await lockRoot(root);
    this.#resources.add("lock", () => lock.release());
    return root;
  }

  async #openState(root: Dir): Promise<RootState> {
    const takenOver = (await root.stat(CONFIG_FILE)) !== undefined;
    const state = await RootState.open(root.path, takenOver);
    this.#resources.add("root state", () => state.close());
    if (state.formerId !== undefined) {
      this.#log.warn(
        { formerId: state.formerId, id: state.id },
        "this root was made on another machine and has a new id now; mounts that it held there count as another host's",
      );
    }
    return state;
  }

  /** The log goes to its file from here on, and SIGHUP opens it anew. */
  #openLogFile(): void {
    const { log: file, logLevel: level, logFormat: format } = this.#options;
    if (file !== undefined) {
      try {
        this.#opened = openLog({ level, format, file });
        this.#logsToFile = true;
      } catch (cause) {
        throw new ConvoyError("INVALID_OPTION", `Cannot open the log file ${file}: ${messageOf(cause)}`, { cause });
      }
    }
    this.#signals.log = this.#log;
    this.#signals.onHangup(() => {
      this.#opened.reopen();
      this.#log.info("log file opened anew");
    });
  }

  /** Failures that no operation caught. A promise that nobody awaited harms no data; anything else ends the process. */
  #watchProcess(): void {
    const onRejection = (err: unknown) => this.#log.error({ err }, "a failure was not handled");
    const onException = (err: unknown) => {
      this.#log.fatal({ err }, "the daemon ends after an unexpected failure; what was acknowledged is safe");
      process.exit(1);
    };
    process.on("unhandledRejection", onRejection);
    process.on("uncaughtException", onException);
    this.#resources.add("process", async () => {
      process.removeListener("unhandledRejection", onRejection);
      process.removeListener("uncaughtException", onException);
    });
  }

  /** Gives everything back, the last first. */
  async close(): Promise<void> {
    for (const { name, error } of await this.#resources.close()) {
      this.#log.error({ err: error }, `could not give back the ${name}`);
    }
    this.#log.info("ended");
  }

  reportFailure(error: unknown): void {
    const hint = error instanceof ConvoyError ? error.hint : undefined;
    const unexpected = error instanceof ConvoyError ? {} : { err: error };
    this.#log.fatal({ ...unexpected, ...(hint === undefined ? {} : { hint }) }, messageOf(error));
    if (this.#logsToFile) {
      process.stderr.write(`convoy daemon: ${messageOf(error)}\n${hint === undefined ? "" : `${hint}\n`}`);
    }
    process.stdout.write(`${goJson({ Error: messageOf(error) }, "\t")}\n`);
  }
}

/** Saved and shown paths do not depend on the directory that the daemon was started in. */
function absolute(path: string): string {
  return path === "" || isAbsolute(path) ? path.replace(/(?<=.)\/+$/, "") : resolve(path);
}
