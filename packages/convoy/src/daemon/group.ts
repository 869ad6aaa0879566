import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ConvoyError } from "../errors.ts";

const run = promisify(execFile);
const LIMIT_MS = 10_000;

/** The id of a group, given by name (asked of the system, so that directories such as LDAP count) or by number. */
export async function groupId(group: string): Promise<number> {
  if (/^[0-9]{1,9}$/.test(group)) return Number(group);
  try {
    const { stdout } = await run("getent", ["--", "group", group], { timeout: LIMIT_MS });
    const id = stdout.split(":")[2];
    if (id !== undefined && /^[0-9]+$/.test(id)) return Number(id);
  } catch (cause) {
    throw unknownGroup(group, cause);
  }
  throw unknownGroup(group);
}

function unknownGroup(group: string, cause?: unknown): ConvoyError {
  return new ConvoyError("INVALID_OPTION", `--socket-group: there is no group ${group}`, {
    cause,
    hint: `Make it with 'groupadd ${group}', or name one that exists. Its members are root on this machine.`,
  });
}
