import type { CreateSpec, Driver } from "../drivers/driver.ts";
import { ConvoyError } from "../errors.ts";
import type { CreateRequest } from "./api.ts";

/**
 * Options that a driver cannot use: refused where ignoring them would give wrong data, accepted with a warning
 * otherwise, because scripts of the time pass `--size` to every driver.
 * @returns the warnings.
 */
export function checkOptions(driver: Driver, request: CreateRequest): string[] {
  const { abilities, name } = driver;
  if (request.id !== "" && !abilities.id) throw cannot(name, "id", "take over an existing volume by its id");
  if (request.vm && !abilities.vm) throw cannot(name, "vm", "keep a disk image for a VM");
  if (request.backupUrl !== "" && abilities.backups === "none") throw cannot(name, "backup", "restore backups");
  const warnings: string[] = [];
  const ignored = (option: string) => warnings.push(`${option} has no effect with driver ${name}`);
  if (request.size !== 0 && !abilities.size && !(request.vm && abilities.vm)) ignored("size");
  if (request.type !== "" && !abilities.type) ignored("type");
  if (request.iops !== 0 && !abilities.iops) ignored("iops");
  if (hasOwner(request) && !abilities.owner) ignored("uid, gid and mode");
  return warnings;
}

function cannot(driver: string, option: string, what: string): ConvoyError {
  return new ConvoyError("UNSUPPORTED", `Driver ${driver} cannot ${what}: option '${option}' is refused`, {
    hint: "Without it the volume would not be what was asked for. Leave it out or choose another driver.",
  });
}

function hasOwner(request: CreateRequest): boolean {
  return request.uid !== undefined || request.gid !== undefined || request.mode !== undefined;
}

/** The checks of v0.5.2 on a custom endpoint, which belongs to a backup in S3. */
export function checkEndpoint(request: CreateRequest): void {
  if (request.endpoint === "") return;
  if (request.backupUrl === "") {
    throw new ConvoyError("INVALID_OPTION", "Endpoint option can only be used when creating a volume from a backup.", {
      hint: "Leave it out, or name the backup to restore.",
    });
  }
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(request.backupUrl)?.[1]?.toLowerCase() ?? "";
  if (scheme === "s3") return;
  throw new ConvoyError(
    "INVALID_OPTION",
    `Unsupported backup protocol for custom endpoint: ${scheme}. Only s3:// is supported.`,
    { hint: "Leave the endpoint out." },
  );
}

/** What the driver is asked for; `restore` is added by the caller. */
export function toSpec(request: CreateRequest, name: string): CreateSpec {
  const { uid, gid, mode } = request;
  return {
    name,
    size: request.size,
    vm: request.vm,
    id: request.id,
    type: request.type,
    iops: request.iops,
    owner: {
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    },
  };
}

/** Equal for two requests that ask for the same volume (R13). */
export function requestKey(request: CreateRequest): string {
  return JSON.stringify(Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1)));
}
