import { randomBytes } from "node:crypto";
import { type BigIntStats, constants, type Dirent } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../errors.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** What `#writeTemporary` calls its files. */
const TEMPORARY = /^\..*\.[0-9a-f]{12}\.tmp$/;

/** Refuses anything but a single path component. */
function component(name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw new ConvoyError("INTERNAL", `'${name}' is not a single file name`);
  }
  return name;
}

/**
 * A directory held open. Everything below it is reached through its handle, one component at a time and without
 * following links (R32), so the directory stays the same one even if something else is mounted or renamed over its
 * path meanwhile (R11). Only what is there as a regular file is read. All calls are asynchronous.
 */
export class Dir {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Opens an existing directory; a link to a directory is followed here and only here (an administrator's choice). */
  static async open(path: string): Promise<Dir> {
    return new Dir(path, await open(path, O_RDONLY | O_DIRECTORY));
  }

  get fd(): number {
    return this.#handle.fd;
  }

  /** A path that names this very directory for system calls of this process, whatever its real path is now. */
  get handlePath(): string {
    return `/proc/self/fd/${this.#handle.fd}`;
  }

  #at(name: string): string {
    return `${this.handlePath}/${component(name)}`;
  }

  /** Opens a sub-directory, making it (mode 0700, durable) if asked. */
  async sub(name: string, options: { create?: boolean; mode?: number } = {}): Promise<Dir> {
    const at = this.#at(name);
    for (;;) {
      try {
        return new Dir(`${this.path}/${name}`, await open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      } catch (error) {
        if (errnoOf(error) !== "ENOENT" || !options.create) throw error;
      }
      try {
        await mkdir(at, options.mode ?? 0o700);
        await this.sync();
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
      }
    }
  }

  /** Opens a chain of sub-directories. The ones in between are closed again. */
  async descend(names: readonly string[], options: { create?: boolean } = {}): Promise<Dir> {
    let current: Dir | undefined;
    for (const name of names) {
      const from: Dir = current ?? this;
      try {
        current = await from.sub(name, options);
      } finally {
        if (from !== this) await from.close();
      }
    }
    return current ?? this.reopen();
  }

  /** A second handle of this directory. */
  async reopen(): Promise<Dir> {
    return new Dir(this.path, await open(this.handlePath, O_RDONLY | O_DIRECTORY));
  }

  /** Like `sub`, but undefined when there is no such directory. */
  async trySub(name: string): Promise<Dir | undefined> {
    try {
      return await this.sub(name);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  list(): Promise<string[]> {
    return readdir(this.handlePath);
  }

  listTypes(): Promise<Dirent[]> {
    return readdir(this.handlePath, { withFileTypes: true });
  }

  /** lstat; undefined if there is nothing of that name. */
  async stat(name: string): Promise<BigIntStats | undefined> {
    try {
      return await lstat(this.#at(name), { bigint: true });
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  statSelf(): Promise<BigIntStats> {
    return this.#handle.stat({ bigint: true });
  }

  /** Opens a regular file for reading, without following a link and without blocking on a FIFO. */
  async openFile(name: string): Promise<FileHandle> {
    return (await this.#openRegular(name)).handle;
  }

  async #openRegular(name: string): Promise<{ handle: FileHandle; size: number }> {
    let handle: FileHandle;
    try {
      handle = await open(this.#at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (errnoOf(error) === "ELOOP" || errnoOf(error) === "ENXIO") throw this.#notRegular(name, error);
      throw error;
    }
    const stats = await handle.stat();
    if (stats.isFile()) return { handle, size: stats.size };
    await handle.close();
    throw this.#notRegular(name);
  }

  #notRegular(name: string, cause?: unknown): ConvoyError {
    return new ConvoyError("FORGED", `${this.path}/${name} is not a regular file`, {
      cause,
      hint: "Links, FIFOs and devices are not read in shared places; find out who put it there and remove it.",
    });
  }

  /** Reads a small file; undefined if absent. More than `maxBytes` is a FORGED error. */
  async read(name: string, maxBytes: number): Promise<Buffer | undefined> {
    let file: { handle: FileHandle; size: number };
    try {
      file = await this.#openRegular(name);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
    const { handle, size } = file;
    try {
      if (size > maxBytes) {
        throw new ConvoyError("FORGED", `${this.path}/${name} has ${size} bytes, more than the ${maxBytes} allowed`);
      }
      // One call in the usual case; files of ours are replaced, never written in place.
      const buffer = Buffer.allocUnsafe(size);
      let length = 0;
      while (length < size) {
        const { bytesRead } = await handle.read(buffer, length, size - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return buffer.subarray(0, length);
    } finally {
      await handle.close();
    }
  }

  async readText(name: string, maxBytes = 1 << 20): Promise<string | undefined> {
    return (await this.read(name, maxBytes))?.toString("utf8");
  }

  /** Makes a file that must not exist yet (EEXIST otherwise), durable when it resolves. */
  async createExclusive(name: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
    // Written whole under another name and linked, so that nobody ever sees it half written.
    const temporary = await this.#writeTemporary(name, data, mode);
    try {
      await link(this.#at(temporary), this.#at(name));
    } finally {
      await unlink(this.#at(temporary));
    }
    await this.sync();
  }

  /** Writes or replaces a file: temporary file, fsync, rename, fsync of the directory (R1). */
  async write(name: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
    const temporary = await this.#writeTemporary(name, data, mode);
    try {
      await rename(this.#at(temporary), this.#at(name));
    } catch (error) {
      await unlink(this.#at(temporary));
      throw error;
    }
    await this.sync();
  }

  async #writeTemporary(name: string, data: string | Uint8Array, mode: number): Promise<string> {
    const temporary = `.${component(name).slice(0, 200)}.${randomBytes(6).toString("hex")}.tmp`;
    const handle = await this.openNew(temporary, mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } catch (error) {
      await unlink(this.#at(temporary));
      throw error;
    } finally {
      await handle.close();
    }
    return temporary;
  }

  /**
   * Removes temporary files that dead writers left here. One younger than `olderThanMs` (by the file system's own
   * clock) may belong to a living writer on another host and stays.
   */
  async sweepTemporaries(olderThanMs: number): Promise<void> {
    const left = (await this.list()).filter((name) => TEMPORARY.test(name));
    if (left.length === 0) return;
    const probe = await this.#writeTemporary("probe", "", 0o600);
    const now = (await this.stat(probe))!.mtimeMs;
    await unlink(this.#at(probe));
    for (const name of left) {
      const stats = await this.stat(name);
      if (stats?.isFile() && now - stats.mtimeMs > BigInt(olderThanMs)) await this.remove(name);
    }
  }

  /** Opens a new file for writing; never through a planted link (O_EXCL). */
  openNew(name: string, mode = 0o644): Promise<FileHandle> {
    return open(this.#at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  }

  /** Makes a sub-directory that must not exist yet. */
  async mkdir(name: string, mode = 0o700): Promise<void> {
    await mkdir(this.#at(name), mode);
    await this.sync();
  }

  /** Removes a file, durable; absent is a success. */
  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#at(name));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    await this.sync();
  }

  /** Removes an empty directory; absent is a success. */
  async removeDir(name: string): Promise<void> {
    try {
      await rmdir(this.#at(name));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    await this.sync();
  }

  /** Renames, durable in both directories. Replaces a file of the new name; see sys.renameat for "no replace". */
  async rename(name: string, target: Dir, newName: string): Promise<void> {
    await rename(this.#at(name), target.#at(newName));
    await target.sync();
    if (target !== this) await this.sync();
  }

  /** fsync of the directory itself. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
