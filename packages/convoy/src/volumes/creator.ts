import type { BackupEngine, OpenedRestore } from "../backups/engine.ts";
import type { Driver, VolumeState } from "../drivers/driver.ts";
import { volumeExists } from "../drivers/records/record-files.ts";
import { ConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import type { CreateRequest } from "./api.ts";
import { checkEndpoint, checkOptions, requestKey, toSpec } from "./create-options.ts";
import { findVolume } from "./find.ts";
import { checkNewVolumeName, generateName } from "./names.ts";
import type { Operations } from "./operations.ts";

export interface Created {
  volume: VolumeState;
  warnings: string[];
}

/** Docker gives up after two minutes; its plugin call is answered before that (R13). */
const DOCKER_LIMIT_MS = 100_000;

interface Creation {
  key: string;
  started: number;
  done: Promise<Created>;
}

/** Creates volumes: of all simultaneous requests for a name one wins. */
export class Creator {
  readonly #drivers: ReadonlyMap<string, Driver>;
  readonly #defaultDriver: string;
  readonly #engine: BackupEngine;
  readonly #operations: Operations;
  readonly #running = new Map<string, Creation>();
  readonly #dockerLimitMs: number;

  constructor(options: {
    drivers: ReadonlyMap<string, Driver>;
    defaultDriver: string;
    engine: BackupEngine;
    operations: Operations;
    dockerLimitMs?: number;
  }) {
    this.#drivers = options.drivers;
    this.#defaultDriver = options.defaultDriver;
    this.#engine = options.engine;
    this.#operations = options.operations;
    this.#dockerLimitMs = options.dockerLimitMs ?? DOCKER_LIMIT_MS;
  }

  async create(request: CreateRequest): Promise<Created> {
    const name = request.name === "" ? generateName("volume") : request.name;
    checkNewVolumeName(name);
    if (this.#running.has(name)) throw volumeExists(name);
    return this.#start(name, request);
  }

  /** Docker repeats its requests, so an equal one joins the running creation. */
  async createForDocker(request: CreateRequest): Promise<Created> {
    const { name } = request;
    const running = this.#running.get(name);
    if (running !== undefined) {
      if (running.key === requestKey(request)) return this.#withLimit(name, running.done);
      throw new ConvoyError("OPERATION_RUNNING", `Volume ${name} is being created with other options`, {
        hint: "Wait until that has ended, or choose another name.",
      });
    }
    const existing = await findVolume([...this.#drivers.values()], name);
    if (existing !== undefined) return { volume: existing.volume, warnings: [] };
    // Somebody may have begun while this request looked.
    if (this.#running.has(name)) return this.createForDocker(request);
    checkNewVolumeName(name);
    return this.#withLimit(name, this.#start(name, request));
  }

  #start(name: string, request: CreateRequest): Promise<Created> {
    const done = this.#create(name, request).finally(() => this.#running.delete(name));
    this.#running.set(name, { key: requestKey(request), started: Date.now(), done });
    return done;
  }

  async #withLimit(name: string, done: Promise<Created>): Promise<Created> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          new ConvoyError(
            "OPERATION_RUNNING",
            `Volume ${name} is still being created after ${Math.round(this.#dockerLimitMs / 1000)} s; the work goes on`,
            {
              hint: "Repeat the same command later: it succeeds when the volume is complete. The daemon's log says how it goes.",
            },
          ),
        );
      }, this.#dockerLimitMs);
    });
    // Nobody else may wait for a creation that fails after its limit.
    done.catch(() => undefined);
    try {
      return await Promise.race([done, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #create(name: string, request: CreateRequest): Promise<Created> {
    if ((await findVolume([...this.#drivers.values()], name)) !== undefined) throw volumeExists(name);
    checkEndpoint(request);
    const driver = this.#driver(request.driver);
    const warnings = checkOptions(driver, request);
    const fields = {
      operation: request.backupUrl === "" ? "create" : "restore",
      driver: driver.name,
      volume: name,
    };
    return this.#operations.run(fields, async (context) => {
      const spec = toSpec(request, name);
      const restore = request.backupUrl === "" ? undefined : await this.#openRestore(driver, request, context);
      try {
        const volume = await driver.create(
          restore === undefined
            ? spec
            : {
                ...spec,
                restore: {
                  ancestorId: restore.summary.volumeId,
                  fill: (target, op) => restore.fill(target, op),
                },
              },
          context,
        );
        const { warnings: more = [], ...state } = volume;
        return { volume: state, warnings: [...warnings, ...more] };
      } finally {
        await restore?.close();
      }
    });
  }

  #driver(name: string): Driver {
    const wanted = name === "" ? this.#defaultDriver : name;
    const driver = this.#drivers.get(wanted);
    if (driver !== undefined) return driver;
    throw new ConvoyError("DRIVER_NOT_FOUND", `Cannot find driver ${wanted}`, {
      hint: `Drivers of this daemon: ${[...this.#drivers.keys()].join(", ") || "none"}.`,
    });
  }

  async #openRestore(driver: Driver, request: CreateRequest, context: OperationContext): Promise<OpenedRestore> {
    const restore = await this.#engine.openRestore({ url: request.backupUrl, endpoint: request.endpoint }, context);
    if (restore.summary.driver === driver.name) return restore;
    await restore.close();
    throw new ConvoyError("UNSUPPORTED", `Cannot restore backup of ${restore.summary.driver} to ${driver.name}`, {
      hint: `A backup is restored with the driver that made it: --driver ${restore.summary.driver}`,
    });
  }
}
