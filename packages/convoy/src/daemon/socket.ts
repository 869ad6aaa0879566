import { once } from "node:events";
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { chmod, chown, lstat, mkdir, mkdtemp, open, readdir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ConvoyError, errnoOf, messageOf } from "../errors.ts";
import type { Logger } from "../host/log.ts";
import { tryFlock } from "../host/sys.ts";

/** sun_path of unix(7) without its final zero. */
const LONGEST_PATH = 107;
const PROBE_MS = 5_000;
const CLAIM_MS = 10_000;

/**
 * Refuses a socket path that cannot be used: too long, not a socket, or answered by somebody. Touches nothing.
 * @throws ALREADY_RUNNING, INVALID_OPTION
 */
export async function checkSocketPath(path: string): Promise<void> {
  if (path === "") throw new ConvoyError("INVALID_OPTION", "Require unix domain socket location");
  const length = Buffer.byteLength(path);
  if (length > LONGEST_PATH) {
    throw new ConvoyError(
      "INVALID_OPTION",
      `The socket path ${path} has ${length} bytes; ${LONGEST_PATH} are allowed`,
      {
        hint: "Choose a shorter one with --socket.",
      },
    );
  }
  const present = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (present === undefined) return;
  if (!present.isSocket()) {
    throw new ConvoyError("INVALID_OPTION", `${path} is there already and is not a socket`, {
      hint: "Choose another path with --socket, or move that file away.",
    });
  }
  if (await isAnswered(path)) {
    throw new ConvoyError("ALREADY_RUNNING", `The socket ${path} is already in use by a running daemon`, {
      hint: `'fuser -v ${path}' names it. Stop it, or give this one another socket with --socket (before 'daemon').`,
    });
  }
}

/** Whether a process accepts connections there. Doubt (no permission, no answer in time) counts as yes. */
async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(PROBE_MS) });
    return true;
  } catch (error) {
    return errnoOf(error) !== "ECONNREFUSED" && errnoOf(error) !== "ENOENT";
  } finally {
    socket.destroy();
  }
}

/** The socket that this daemon listens on. */
export class ListeningSocket {
  readonly path: string;
  readonly #identity: BigIntStats;

  private constructor(path: string, identity: BigIntStats) {
    this.path = path;
    this.#identity = identity;
  }

  /**
   * Lets `server` listen at `path`, replacing a socket that nobody answers. The directory is made with mode 0700; the
   * socket is for its owner only, or for `gid` too. It is bound in a private directory and moved into place, so that
   * it never exists with wider permissions, and so that closing the server removes nothing by name (libuv unlinks the
   * path that was bound, whoever's socket is there by then).
   */
  static async open(server: Server, path: string, gid: number | undefined, log: Logger): Promise<ListeningSocket> {
    const directory = dirname(path);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const claim = await claimDirectory(directory);
    try {
      await checkSocketPath(path);
      const identity = await bind(server, path, claim.fd, gid);
      if (gid !== undefined) await openToGroup(directory, basename(path), gid, log);
      return new ListeningSocket(path, identity);
    } finally {
      await claim.close();
    }
  }

  /** Removes the socket if it is still ours. */
  async remove(): Promise<void> {
    try {
      const present = await lstat(this.path, { bigint: true });
      if (present.ino === this.#identity.ino && present.dev === this.#identity.dev) await unlink(this.path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
}

/** Two daemons that start at once must not both find the path free: the directory is locked meanwhile. */
async function claimDirectory(directory: string): Promise<FileHandle> {
  const handle = await open(directory);
  const deadline = performance.now() + CLAIM_MS;
  while (!(await tryFlock(handle.fd))) {
    if (performance.now() > deadline) {
      await handle.close();
      throw new ConvoyError("ALREADY_RUNNING", `The socket's directory ${directory} is locked by another process`, {
        hint: `'fuser -v ${directory}' names it.`,
      });
    }
    await delay(50);
  }
  return handle;
}

async function bind(server: Server, path: string, dirFd: number, gid: number | undefined): Promise<BigIntStats> {
  const directory = dirname(path);
  const staging = await mkdtemp(`${directory}/.convoy-`);
  const staged = `${staging}/s`;
  try {
    // Through the descriptor the path is short, however long the directory's is.
    const listening = once(server, "listening");
    server.listen(`/proc/self/fd/${dirFd}/${basename(staging)}/s`);
    await listening;
    await chmod(staged, gid === undefined ? 0o600 : 0o660);
    if (gid !== undefined) await chown(staged, -1, gid);
    const identity = await lstat(staged, { bigint: true });
    await rename(staged, path);
    return identity;
  } catch (cause) {
    server.close();
    await unlink(staged).catch(() => undefined);
    throw new ConvoyError("INTERNAL", `Cannot open the socket ${path}: ${messageOf(cause)}`, { cause });
  } finally {
    await rmdir(staging);
  }
}

/** The group's members have to get at the socket; only a directory that is there for it alone is opened to them. */
async function openToGroup(directory: string, name: string, gid: number, log: Logger): Promise<void> {
  const { mode, uid } = await stat(directory);
  const entries = await readdir(directory);
  const isOwn = uid === process.geteuid?.() && entries.every((entry) => entry === name);
  if (isOwn && (mode & 0o007) === 0) {
    await chown(directory, -1, gid);
    await chmod(directory, 0o750);
  } else if ((mode & 0o001) === 0) {
    log.warn(
      { directory },
      "members of the socket's group may not be able to reach it: its directory is not open to them",
    );
  }
}
