import type { LogLevel } from "../host/log.ts";

/** The flags of `convoy daemon` after parsing, before any check of their values. */
export interface DaemonOptions {
  socket: string;
  root: string;
  log?: string;
  logLevel: LogLevel;
  logFormat: "text" | "json";
  drivers: string[];
  /** `KEY=VALUE` as given; split at the first `=` (v0.5.2 dropped all of them when a value held one). */
  driverOpts: string[];
  mntNs: string;
  ignoreDockerDelete: boolean;
  createOnDockerMount: boolean;
  cmdTimeout: string;
  ignoreConfigFile: boolean;
  socketGroup?: string;
  dockerScope: "local" | "global";
  /** `detach`, `delete`, or `DRIVER=detach|delete`; later ones win. */
  dockerRemove: string[];
  /** Plugin spec file to write once the socket listens (R30). */
  dockerSpec?: string;
  /** Accept a `vfs.path` whose marker is not the remembered one (R11). */
  initStore: boolean;
  /** Allow delete, rename and revert on mounts without network locks (R4). */
  singleHost: boolean;
  /** Names of the flags that stood on the command line, for example `drivers`. */
  given: string[];
}
