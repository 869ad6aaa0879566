import { ConvoyError } from "../../../errors.ts";
import * as sys from "../../../host/sys.ts";

/** The file system is asked again at the latest after this many bytes: others write to it too. */
const CHECK_EVERY = 32 * 1024 * 1024;
const PAGE = 4096;

/** Keeps a restore from filling the file system: stops it before less than the reserve is left (R27). */
export class SpaceGuard {
  readonly #fd: number;
  readonly #reserve: number;
  /** Bytes that may be claimed before the file system is asked again. */
  #allowance = 0;

  /**
   * @param fd Any open file of the file system.
   * @param reserve Bytes that must stay free.
   */
  constructor(fd: number, reserve: number) {
    this.#fd = fd;
    this.#reserve = reserve;
  }

  /**
   * To be called before `bytes` are written; small writes count as whole pages, which is what they take.
   * @throws NO_SPACE
   */
  claim(bytes: number): void {
    const needed = Math.ceil(bytes / PAGE) * PAGE;
    if (needed > this.#allowance) {
      const available = sys.fstatfs(this.#fd).availableBytes;
      if (available - needed < this.#reserve) throw noSpace(available, this.#reserve);
      this.#allowance = Math.min(available - this.#reserve, Math.max(CHECK_EVERY, needed));
    }
    this.#allowance -= needed;
  }
}

/** @param available Bytes; left out when the file system refused a write itself (blocks, inodes or a quota). */
export function noSpace(available: number | undefined, reserve: number, cause?: unknown): ConvoyError {
  const found =
    available === undefined
      ? "the file system is full, or a quota is"
      : `${available} bytes are left on the file system, of which ${reserve} stay in reserve`;
  return new ConvoyError("NO_SPACE", `There is not enough space to restore the backup: ${found}`, {
    hint: "Nothing of it was kept. Make space, or restore to a larger file system.",
    ...(cause === undefined ? {} : { cause }),
  });
}
