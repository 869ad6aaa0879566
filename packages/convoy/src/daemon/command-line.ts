import { ConvoyError } from "../errors.ts";
import type { Logger } from "../host/log.ts";
import { parseDuration } from "./duration.ts";

/** v0.5.2 knew no shorter limit for a command of the host. */
export const SHORTEST_TIMEOUT_MS = 60_000;

/**
 * Splits `--driver-opts KEY=VALUE` at the first `=` (v0.5.2 dropped every option when a value held another one).
 * @param known names that some driver understands; others are warned of.
 * @throws INVALID_OPTION for an entry without `=`, by name.
 */
export function parseDriverOptions(entries: readonly string[], known: readonly string[], log: Logger) {
  const options = new Map<string, string>();
  for (const entry of entries) {
    const at = entry.indexOf("=");
    if (at <= 0) {
      throw new ConvoyError("INVALID_OPTION", `--driver-opts ${entry} is not of the form KEY=VALUE`, {
        hint: `For example --driver-opts vfs.path=/srv/volumes. Known keys: ${known.join(", ")}.`,
      });
    }
    const key = entry.slice(0, at);
    if (!known.includes(key)) {
      log.warn(
        { option: key },
        `--driver-opts ${key} is known to no driver and ignored; known are ${known.join(", ")}`,
      );
    }
    options.set(key, entry.slice(at + 1));
  }
  return options;
}

/** `--drivers`, each once. @throws INVALID_OPTION for a comma list, which v0.5.2 took for one unknown driver. */
export function parseDrivers(names: readonly string[], log: Logger): string[] {
  const list = names.find((name) => name.includes(","));
  if (list !== undefined) {
    const separate = list.split(",").map((name) => `--drivers ${name.trim()}`);
    throw new ConvoyError("INVALID_OPTION", `Driver ${list} is not supported!`, {
      hint: `Give one driver per flag: ${separate.join(" ")}.`,
    });
  }
  const distinct = [...new Set(names)];
  if (distinct.length < names.length) log.warn(`--drivers names a driver twice (${names.join(", ")}); once is enough`);
  return distinct;
}

/** `--cmd-timeout` as it is to be saved: a refused value is named in the log and the default taken, as in v0.5.2. */
export function parseTimeout(text: string, log: Logger): string {
  if (text === "") return "";
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds >= SHORTEST_TIMEOUT_MS) return text;
  log.warn(
    { cmdTimeout: text },
    `Invalid timeout value ${text} specified, default to one minute; allowed are durations of at least 1m, such as 5m or 1h30m`,
  );
  return "";
}

export type DockerRemove = "detach" | "delete";

/**
 * `--docker-remove detach|delete` for every driver, or `DRIVER=detach|delete` for one; later ones win.
 * @returns what was said, by driver.
 */
export function parseDockerRemove(entries: readonly string[], drivers: readonly string[]): Map<string, DockerRemove> {
  const modes = new Map<string, DockerRemove>();
  for (const entry of entries) {
    const at = entry.indexOf("=");
    const driver = at < 0 ? undefined : entry.slice(0, at);
    const mode = entry.slice(at + 1);
    if ((mode !== "detach" && mode !== "delete") || (driver !== undefined && !drivers.includes(driver))) {
      throw new ConvoyError("INVALID_OPTION", `--docker-remove ${entry} is not valid`, {
        hint: `Allowed are detach, delete, and DRIVER=detach or DRIVER=delete with one of the drivers ${drivers.join(", ")}.`,
      });
    }
    for (const name of driver === undefined ? drivers : [driver]) modes.set(name, mode);
  }
  return modes;
}
