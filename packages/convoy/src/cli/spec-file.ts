import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ConvoyError, errnoOf, messageOf } from "../errors.ts";

/** A plugin's spec file `<directory>/<name>.spec`, by which Docker finds the socket. */
export interface SpecFile {
  directory: string;
  name: string;
  socket: string;
  /** Do it even if the file names another socket. */
  force: boolean;
}

/**
 * Writes the file. Durable: a temporary file, fsync, rename, fsync of the directory; Docker never sees half a file.
 * Writing the same again changes nothing.
 * @returns the file, and the address that it named before if that was another.
 * @throws {ConvoyError} COMMAND_FAILED; NAME_TAKEN if it names another socket
 */
export function writeSpecFile({ directory, name, socket, force }: SpecFile): { file: string; former?: string } {
  const file = join(directory, `${name}.spec`);
  const address = `unix://${resolve(socket)}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const former = readIfThere(file);
    if (former === address) return { file };
    const isOther = former !== undefined && !namesSocket(former, socket);
    if (isOther && !force) {
      throw namesAnother(
        file,
        former,
        "Register this daemon under another name with --name, or replace it with --force.",
      );
    }
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
    return isOther ? { file, former } : { file };
  } catch (error) {
    throw failed("write", file, error);
  }
}

/** Removes the file, durably. @throws {ConvoyError} COMMAND_FAILED; NAME_TAKEN if it names another socket */
export function removeSpecFile({ directory, name, socket, force }: SpecFile): { file: string; removed: boolean } {
  const file = join(directory, `${name}.spec`);
  try {
    const present = readIfThere(file);
    if (present !== undefined && !force && !namesSocket(present, socket)) {
      throw namesAnother(file, present, "Give that daemon's socket with --socket before 'docker', or --force.");
    }
    unlinkSync(file);
    syncDirectory(directory);
    return { file, removed: true };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { file, removed: false };
    throw failed("remove", file, error);
  }
}

/** Whether a spec file's content is the address of `socket`; /var/run and /run are the same directory on most hosts. */
function namesSocket(content: string, socket: string): boolean {
  return content.startsWith("unix://") && canonical(content.slice("unix://".length)) === canonical(resolve(socket));
}

function canonical(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

function namesAnother(file: string, address: string, hint: string): ConvoyError {
  return new ConvoyError("NAME_TAKEN", `${file} names another socket: ${address}`, { hint });
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
  if (cause instanceof ConvoyError) return cause;
  return new ConvoyError("COMMAND_FAILED", `cannot ${verb} ${file}: ${messageOf(cause)}`, {
    hint: "Run this as root, or choose another directory with --dir.",
    cause,
  });
}
