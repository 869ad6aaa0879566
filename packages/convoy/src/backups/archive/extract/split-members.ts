import { damaged } from "../errors.ts";
import { HEADER_SIZE, isGzip, MAX_MEMBER_SIZE, memberSize, TRAILER_SIZE } from "../gzip/member.ts";

/** One complete gzip member of ours. */
export interface ArchiveMember {
  bytes: Uint8Array<ArrayBuffer>;
  /** Names the member in errors. */
  where: string;
}

/**
 * Reads a body in portions of any size. A chunk of the body is used up before the next one is asked for: its maker may
 * use its memory again then.
 */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  /** Bytes that were looked at and not taken yet. */
  #head = Buffer.alloc(0);
  /** Rest of the last chunk. */
  #chunk: Uint8Array = Buffer.alloc(0);

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  /** The next bytes, which stay there; fewer than `size` only at the end. */
  async peek(size: number): Promise<Buffer> {
    while (this.#head.length < size && (await this.#more())) {
      const part = this.#fromChunk(size - this.#head.length);
      this.#head = Buffer.concat([this.#head, part]);
    }
    return this.#head;
  }

  /** The next `size` bytes in memory of their own; undefined if the body ends before. */
  async take(size: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const taken = new Uint8Array(size);
    const head = this.#head.subarray(0, size);
    taken.set(head);
    this.#head = this.#head.subarray(head.length);
    for (let at = head.length; at < size; ) {
      if (!(await this.#more())) return undefined;
      const part = this.#fromChunk(size - at);
      taken.set(part, at);
      at += part.length;
    }
    return taken;
  }

  /** Everything that is left. */
  async *drain(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#head.length > 0) yield this.#head;
    while (await this.#more()) yield this.#fromChunk(this.#chunk.length);
  }

  /** @returns false at the end of the body */
  async #more(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#source.next();
      if (done) return false;
      this.#chunk = value;
    }
    return true;
  }

  #fromChunk(size: number): Uint8Array {
    const part = this.#chunk.subarray(0, size);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }
}

/**
 * Cuts an archive into gzip members by the length that ours carry. From the first member of another program on
 * (Convoy v0.5.2's archives are one such member) the rest is given as it is.
 */
export class MemberSplitter {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #reader: ByteReader;
  /** True once a member of another program was met: `members` has ended and `rest` starts with it. */
  foreign = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#source = body[Symbol.asyncIterator]();
    this.#reader = new ByteReader(this.#source);
  }

  async *members(): AsyncGenerator<ArchiveMember, void, undefined> {
    for (let position = 0; ; ) {
      const head = await this.#reader.peek(HEADER_SIZE);
      if (head.length === 0 && position > 0) return;
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
      const bytes = await this.#reader.take(size);
      if (bytes === undefined) throw damaged(`it was cut off within ${where}`);
      yield { bytes, where };
      position += size;
    }
  }

  /** What is left after `members`. */
  rest(): AsyncIterable<Uint8Array> {
    return this.#reader.drain();
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
