import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { promisify } from "node:util";
import { ConvoyError, messageOf } from "../errors.ts";

const run = promisify(execFile);
const LIMIT_MS = 60_000;

/**
 * Checks `--mnt-ns`, the mount namespace in which drivers mount (for a daemon in a container, that of its host): the
 * file exists, `nsenter` is there and can enter it.
 */
export async function checkMountNamespace(file: string): Promise<void> {
  if (file === "") return;
  try {
    await stat(file);
  } catch (cause) {
    throw new ConvoyError("INVALID_OPTION", `Cannot find mount namespace fd ${file}`, {
      cause,
      hint: "--mnt-ns wants the path of a namespace file, for example /host/proc/1/ns/mnt.",
    });
  }
  try {
    await run("nsenter", ["-V"], { timeout: LIMIT_MS });
  } catch (cause) {
    throw new ConvoyError("COMMAND_FAILED", "Cannot find nsenter for namespace switching", {
      cause,
      hint: "Install it; in Debian it is part of util-linux.",
    });
  }
  try {
    await run("nsenter", [`--mount=${file}`, "mount"], { timeout: LIMIT_MS });
  } catch (cause) {
    throw new ConvoyError("INVALID_OPTION", `Invalid mount namespace ${file}, error ${messageOf(cause).trim()}`, {
      cause,
      hint: "The file has to be a mount namespace, and entering it needs root.",
    });
  }
}
