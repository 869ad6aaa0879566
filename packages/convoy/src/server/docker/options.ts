import { parseSize, SIZE_HELP, unescapeBackupUrl } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";
import type { CreateRequest } from "../../volumes/api.ts";
import { parseFlag } from "../body.ts";

const MAX_ID = 4294967294;

/** Keys that make another volume when left out: a failed backup must not become an empty volume. */
const NEVER_EMPTY = ["backup", "endpoint", "id"];

/** Every key of `docker volume create -o KEY=VALUE`, in lower case only, as in v0.5.2; uid, gid and mode since 0.6. */
const KNOWN_KEYS = ["size", "driver", "backup", "endpoint", "id", "type", "iops", "vm", "uid", "gid", "mode"];

/**
 * Docker's options as a create request.
 * @throws INVALID_OPTION naming the key, the value and what is allowed.
 */
export function createRequestOf(name: string, opts: ReadonlyMap<string, string>): CreateRequest {
  for (const key of opts.keys()) if (!KNOWN_KEYS.includes(key)) throw unknownKey(key);
  for (const key of NEVER_EMPTY) if (opts.get(key) === "") throw emptyValue(key);
  const text = (key: string) => opts.get(key) ?? "";
  const size = parseSize(text("size"));
  if (size === undefined) {
    throw new ConvoyError("INVALID_SIZE", `Invalid option size=${text("size")}: ${SIZE_HELP} are allowed`);
  }
  const vm = opts.has("vm") ? parseFlag(text("vm")) : false;
  if (vm === undefined) throw invalid("vm", text("vm"), "true or false");
  const uid = integerOf(opts, "uid", MAX_ID);
  const gid = integerOf(opts, "gid", MAX_ID);
  const mode = opts.get("mode");
  if (mode !== undefined && !/^[0-7]{3,4}$/.test(mode)) throw invalid("mode", mode, "octal digits such as 0770");
  return {
    name,
    driver: text("driver"),
    size,
    backupUrl: unescapeBackupUrl(text("backup")),
    endpoint: text("endpoint"),
    id: text("id"),
    type: text("type"),
    iops: integerOf(opts, "iops", Number.MAX_SAFE_INTEGER) ?? 0,
    vm,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function integerOf(opts: ReadonlyMap<string, string>, key: string, max: number): number | undefined {
  const value = opts.get(key);
  if (value === undefined) return undefined;
  const number = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
  if (number <= max) return number;
  throw invalid(key, value, `a whole number from 0 to ${max}`);
}

function invalid(key: string, value: string, allowed: string): ConvoyError {
  return new ConvoyError("INVALID_OPTION", `Invalid option ${key}=${value}: ${allowed} is allowed`);
}

function emptyValue(key: string): ConvoyError {
  return new ConvoyError("INVALID_OPTION", `Invalid option ${key}=: the value must not be empty`, {
    hint: "If it comes from another command, that one has failed; without the option the volume would be an empty one.",
  });
}

function unknownKey(key: string): ConvoyError {
  return new ConvoyError(
    "INVALID_OPTION",
    `Unknown option ${key}; known are ${KNOWN_KEYS.join(", ")} (lower case, as in -o size=10G)`,
  );
}
