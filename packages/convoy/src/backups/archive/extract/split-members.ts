import { damaged } from "../errors.ts";
import { HEADER_SIZE, isGzip, MAX_MEMBER_SIZE, memberSize, TRAILER_SIZE } from "../gzip/member.ts";

/** One complete gzip member of ours. */
export interface ArchiveMember {
  bytes: Uint8Array<ArrayBuffer>;
  /** Names the member in errors. */
  where: string;
}

/** Bytes that came and are not used yet. */
class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunks: Buffer[] = [];
  length = 0;

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  /** Reads until `size` bytes are there, or the source ended. */
  async fill(size: number): Promise<void> {
    while (this.length < size) {
      const { value, done } = await this.#source.next();
      if (done) return;
      this.#chunks.push(Buffer.from(value.buffer, value.byteOffset, value.length));
      this.length += value.length;
    }
  }

  /** The first bytes, at most `size`; they stay in the queue. */
  peek(size: number): Buffer {
    return Buffer.concat(this.#chunks, Math.min(size, this.length));
  }

  /** The first `size` bytes, in memory of their own. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const chunk = this.#chunks[0]!;
      const part = chunk.subarray(0, size - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.length -= size;
    return taken;
  }

  /** All that is left, then the rest of the source. */
  async *drain(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#chunks.splice(0);
    for (;;) {
      const { value, done } = await this.#source.next();
      if (done) return;
      yield value;
    }
  }
}

/**
 * Cuts an archive into gzip members by the length that ours carry. From the first member of another program on
 * (Convoy v0.5.2's archives are one such member) the rest is given as it is.
 */
export class MemberSplitter {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #queue: ByteQueue;
  /** True once a member of another program was met: `members` has ended and `rest` starts with it. */
  foreign = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#source = body[Symbol.asyncIterator]();
    this.#queue = new ByteQueue(this.#source);
  }

  async *members(): AsyncGenerator<ArchiveMember, void, undefined> {
    for (let position = 0; ; ) {
      await this.#queue.fill(HEADER_SIZE);
      if (this.#queue.length === 0 && position > 0) return;
      const head = this.#queue.peek(HEADER_SIZE);
      const where = `the compressed part at byte ${position}`;
      if (!isGzip(head)) {
        throw damaged(position === 0 ? "it is not a gzip archive" : `something else stands where ${where} should be`);
      }
      const size = memberSize(head);
      if (size === undefined) {
        this.foreign = true;
        return;
      }
      if (size <= HEADER_SIZE + TRAILER_SIZE || size > MAX_MEMBER_SIZE) {
        throw damaged(`${where} claims a length of ${size} bytes`);
      }
      await this.#queue.fill(size);
      if (this.#queue.length < size) throw damaged(`it was cut off within ${where}`);
      yield { bytes: this.#queue.take(size), where };
      position += size;
    }
  }

  /** What is left after `members`. */
  rest(): AsyncIterable<Uint8Array> {
    return this.#queue.drain();
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
