import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { ConvoyError } from "../../errors.ts";
import * as sys from "../sys.ts";
import type { TaskContext } from "../workers/index.ts";
import { decodeError, encodeError, type WireError } from "../workers/wire-error.ts";
import { ContentCopier } from "./copy-content.ts";
import { copyError } from "./copy-error.ts";
import { type CopiedFile, copyFile, type FileCopy } from "./copy-file.ts";

/**
 * A second thread that copies larger files for a snapshot's walk. Both threads work synchronously: messages are taken
 * from the port without an event loop, and waiting is done on shared memory.
 */
export interface AssistantChannel {
  port: MessagePort;
  shared: SharedArrayBuffer;
}

/** Size of `AssistantChannel.shared`: three 32-bit cells, and the copied bytes as 64 bits. */
export const ASSISTANT_SHARED_BYTES = 24;
const STATE = 0;
const JOBS = 1;
const RESULTS = 2;
const BYTES_OFFSET = 16;

const READY = 1;
const FAILED = 2;

/** Nobody sleeps longer, so that a cancellation is noticed. */
const SLEEP_MS = 100;
/** Handed over at most, beyond one file. */
const MAX_BYTES = 4 << 20;
const MAX_FILES = 16;
/** Below it, handing a file over costs as much as copying it. */
const LEAST_BYTES = 64 << 10;

interface Job {
  id: number;
  copy: FileCopy;
}

type Result = { id: number; copied: CopiedFile } | { id: number; error: WireError };

/** Tells the walk that its assistant is not there any more. */
export function assistantFailed(shared: SharedArrayBuffer): void {
  const cells = new Int32Array(shared, 0, 3);
  Atomics.store(cells, STATE, FAILED);
  Atomics.notify(cells, RESULTS);
}

/** The walk's end. It never closes the port: files that were handed over are the other end's to close. */
export class Assistant {
  readonly #port: MessagePort;
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #bytes: BigInt64Array<SharedArrayBuffer>;
  readonly #given = new Map<number, { bytes: number; done: (copied: CopiedFile) => void }>();
  #givenBytes = 0;
  #nextId = 0;

  constructor({ port, shared }: AssistantChannel) {
    this.#port = port;
    this.#cells = new Int32Array(shared, 0, 3);
    this.#bytes = new BigInt64Array(shared, BYTES_OFFSET, 1);
  }

  static isWorthIt(bytes: number): boolean {
    return bytes >= LEAST_BYTES;
  }

  /** Bytes that the assistant has copied so far. */
  get bytesDone(): number {
    return Number(Atomics.load(this.#bytes, 0));
  }

  get isBusy(): boolean {
    return this.#given.size > 0;
  }

  canTake(bytes: number): boolean {
    if (Atomics.load(this.#cells, STATE) !== READY) return false;
    if (this.#given.size === 0) return true;
    return this.#given.size < MAX_FILES && this.#givenBytes + bytes <= MAX_BYTES;
  }

  /** Hands over a file with its descriptors. */
  give(copy: FileCopy, done: (copied: CopiedFile) => void): void {
    const id = this.#nextId++;
    const bytes = copy.stat.size;
    this.#given.set(id, { bytes, done });
    this.#givenBytes += bytes;
    this.#port.postMessage({ id, copy } satisfies Job);
    Atomics.add(this.#cells, JOBS, 1);
    Atomics.notify(this.#cells, JOBS);
  }

  /** Takes what is finished. @throws what copying a file threw */
  collect(): void {
    for (let message = receiveMessageOnPort(this.#port); message; message = receiveMessageOnPort(this.#port)) {
      const result = message.message as Result;
      const given = this.#given.get(result.id)!;
      this.#given.delete(result.id);
      this.#givenBytes -= given.bytes;
      if ("error" in result) throw decodeError(result.error);
      given.done(revive(result.copied));
    }
  }

  /** The same, and sleeps a little if nothing was finished. */
  wait(): void {
    const seen = Atomics.load(this.#cells, RESULTS);
    const before = this.#given.size;
    this.collect();
    if (this.#given.size < before) return;
    if (Atomics.load(this.#cells, STATE) === FAILED) {
      throw new ConvoyError("INTERNAL", "A thread that copied files for the snapshot ended unexpectedly", {
        hint: "Repeat the operation; if it happens again, report it with the daemon's log.",
      });
    }
    Atomics.wait(this.#cells, RESULTS, seen, SLEEP_MS);
  }
}

/** Structured clone makes plain arrays of Buffers. */
function revive({ entry, stable }: CopiedFile): CopiedFile {
  const revived = { ...entry, path: toBuffer(entry.path) };
  if (entry.xattrs !== undefined) {
    revived.xattrs = new Map([...entry.xattrs].map(([name, value]) => [name, toBuffer(value)]));
  }
  return { entry: revived, stable };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The `assist` task: the other end. It is cancelled once the walk has ended, and then closes what was handed over. */
export function assist(channel: AssistantChannel, context: TaskContext<never>): undefined {
  const { port, shared } = channel;
  const cells = new Int32Array(shared, 0, 3);
  const bytes = new BigInt64Array(shared, BYTES_OFFSET, 1);
  const content = new ContentCopier({
    reflink: false,
    onPiece: (length) => {
      context.throwIfCancelled();
      Atomics.add(bytes, 0, BigInt(length));
    },
  });
  Atomics.store(cells, STATE, READY);
  for (;;) {
    const seen = Atomics.load(cells, JOBS);
    const message = receiveMessageOnPort(port);
    if (message !== undefined) {
      port.postMessage(carryOut(message.message as Job, content, context));
      Atomics.add(cells, RESULTS, 1);
      Atomics.notify(cells, RESULTS);
    } else if (context.cancelled) {
      port.close();
      return undefined;
    } else {
      Atomics.wait(cells, JOBS, seen, SLEEP_MS);
    }
  }
}

function carryOut({ id, copy }: Job, content: ContentCopier, context: TaskContext<never>): Result {
  try {
    if (context.cancelled) {
      sys.close(copy.from);
      sys.close(copy.to);
      context.throwIfCancelled();
    }
    return { id, copied: copyFile({ ...copy, path: toBuffer(copy.path) }, content) };
  } catch (error) {
    return { id, error: encodeError(copyError(error, toBuffer(copy.path))) };
  }
}
