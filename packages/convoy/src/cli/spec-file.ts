import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { ConvoyError, errnoOf, messageOf } from "../errors.ts";

/**
 * Writes `<directory>/<name>.spec`, by which Docker finds the plugin's socket. Durable: a temporary file, fsync,
 * rename, fsync of the directory; Docker never sees half a file. Writing the same again changes nothing.
 * @returns the file, and the address that it named before if that was another.
 * @throws {ConvoyError} COMMAND_FAILED
 */
export function writeSpecFile(directory: string, name: string, socket: string): { file: string; former?: string } {
  const file = join(directory, `${name}.spec`);
  const address = `unix://${resolve(socket)}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const former = readIfThere(file);
    if (former === address) return { file };
    // Exclusive, and with a name that Docker does not take for a plugin.
    const temporary = join(directory, `.${name}.${process.pid}.tmp`);
    const handle = openSync(temporary, "wx", 0o644);
    try {
      writeSync(handle, address);
      fsyncSync(handle);
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(handle);
    }
    syncDirectory(directory);
    return former === undefined ? { file } : { file, former };
  } catch (error) {
    throw failed("write", file, error);
  }
}

/** Removes the spec file, durably. @throws {ConvoyError} COMMAND_FAILED */
export function removeSpecFile(directory: string, name: string): { file: string; removed: boolean } {
  const file = join(directory, `${name}.spec`);
  try {
    unlinkSync(file);
    syncDirectory(directory);
    return { file, removed: true };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { file, removed: false };
    throw failed("remove", file, error);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function failed(verb: string, file: string, cause: unknown): ConvoyError {
  return new ConvoyError("COMMAND_FAILED", `cannot ${verb} ${file}: ${messageOf(cause)}`, {
    hint: "Run this as root, or choose another directory with --dir.",
    cause,
  });
}
