import { createBackupEngine } from "../backups/create-engine.ts";
import type { Driver } from "../drivers/driver.ts";
import { DRIVER_OPTION_NAMES, openDriver } from "../drivers/registry.ts";
import { ConvoyError } from "../errors.ts";
import type { Logger } from "../host/log.ts";
import type { RootState } from "../host/root.ts";
import { ConvoyServer } from "../server/server.ts";
import { openStore } from "../stores/open.ts";
import { VERSION } from "../version.ts";
import type { VolumesApi } from "../volumes/api.ts";
import { createVolumes } from "../volumes/create-volumes.ts";
import { parseDriverOptions } from "./command-line.ts";
import type { DaemonOptions } from "./options.ts";
import { dockerRemoveOf, type Settings } from "./settings.ts";

/**
 * Opens the drivers in their order; what a first start saves and makes comes when all are open. What was opened is
 * closed again when one fails.
 * @throws DRIVER_NOT_FOUND and the drivers' own errors.
 */
export async function openDrivers(
  names: readonly string[],
  options: DaemonOptions,
  root: RootState,
  log: Logger,
): Promise<Driver[]> {
  const driverOptions = parseDriverOptions(options.driverOpts, DRIVER_OPTION_NAMES, log);
  const drivers: Driver[] = [];
  try {
    for (const name of names) {
      const driver = await openDriver(name, {
        root,
        options: driverOptions,
        initStore: options.initStore,
        singleHost: options.singleHost,
        log: log.child({ driver: name }),
      });
      drivers.push(driver);
      reportIgnored(driver, root, log);
    }
    for (const driver of drivers) await driver.commit?.();
    return drivers;
  } catch (error) {
    await closeDrivers(drivers, log);
    throw error;
  }
}

/** Gives back what the drivers hold; volumes and mounts live on. */
export async function closeDrivers(drivers: readonly Driver[], log: Logger): Promise<void> {
  for (const driver of drivers) {
    await driver
      .close()
      .catch((err: unknown) => log.warn({ driver: driver.name, err }, "the driver could not be closed"));
  }
}

/** A driver's own saved options win, even over --ignore-config-file; v0.5.2 said nothing of it. */
function reportIgnored(driver: Driver, root: RootState, log: Logger): void {
  const file = `${root.dir.path}/${driver.name}/${driver.name}.cfg`;
  for (const difference of driver.ignoredOptions) {
    log.warn(
      { driver: driver.name },
      `driver option ignored: ${difference}; to change it, stop the daemon and edit or remove ${file}`,
    );
  }
}

/** Puts volumes and backups together and brings back what an earlier life of the daemon left (R5). */
export function openVolumes(
  drivers: readonly Driver[],
  settings: Settings,
  root: RootState,
  log: Logger,
): Promise<VolumesApi> {
  const engine = createBackupEngine({
    openStore: (url, endpoint) => openStore(url, { endpoint, memory: root, log }),
    identity: root,
    log,
    protectedDirectories: async () => [root.dir.path],
  });
  return createVolumes({ drivers, engine, log, dockerRemove: dockerRemoveOf(settings.extra) });
}

/** The server with the settings in force, not yet listening. */
export function createConvoyServer(volumes: VolumesApi, { config, extra }: Settings, log: Logger): ConvoyServer {
  return new ConvoyServer({
    volumes,
    general: {
      Root: config.Root,
      DriverList: config.DriverList.length === 0 ? null : config.DriverList,
      DefaultDriver: config.DefaultDriver,
      MountNamespaceFD: config.MountNamespaceFD,
      IgnoreDockerDelete: config.IgnoreDockerDelete,
      CreateOnDockerMount: config.CreateOnDockerMount,
      CmdTimeout: config.CmdTimeout,
      Version: VERSION,
    },
    docker: {
      ignoreDelete: config.IgnoreDockerDelete,
      createOnMount: config.CreateOnDockerMount,
      scope: extra.DockerScope,
    },
    log,
  });
}

/** The default driver has to come first: `volumes` takes the first for it. */
export function driverOrder({ DriverList, DefaultDriver }: Settings["config"]): string[] {
  if (!DriverList.includes(DefaultDriver)) {
    if (DriverList.length === 0) return [];
    throw new ConvoyError(
      "INVALID_OPTION",
      `The default driver ${DefaultDriver} is not among ${DriverList.join(", ")}`,
    );
  }
  return [DefaultDriver, ...DriverList.filter((name) => name !== DefaultDriver)];
}
