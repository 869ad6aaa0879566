import type { TreeEntry } from "../../../host/tree/entry.ts";
import { damaged, shown } from "../errors.ts";
import { decodeEntry, type Member } from "./decode-entry.ts";
import { BLOCK, decodeHeader, padding, type RawHeader, untilNul } from "./header.ts";
import { decodePax, type PaxRecords } from "./pax.ts";
import { SparseMapDecoder } from "./sparse.ts";

/** What a reader reports, in the order of the archive. */
export interface TarHandler {
  entry(entry: TreeEntry): void;
  /** File data of the entry just reported, to be written at byte `offset`. The buffer is valid during the call only. */
  data(chunk: Buffer, offset: number): void;
  /** Follows every `entry`, after its data. */
  entryEnd(): void;
}

/** Extended headers hold names, times and xattrs; more than this is not needed by any file and fills the memory. */
const MAX_EXTENDED = 32 * 1024 * 1024;

/** Part of an archive that is collected whole before it is used. */
interface Collecting {
  header: RawHeader;
  parts: Buffer[];
  /** Bytes still missing. */
  missing: number;
}

/**
 * Reads a tar stream (ustar, PAX, GNU long names) that is pushed in pieces of any size, and checks that it is whole.
 * Strict where GNU tar is lenient: an archive without its end mark, or with anything but zeros after it, is damaged.
 */
export class TarReader {
  readonly #handler: TarHandler;
  #global: PaxRecords = new Map();
  #pax: PaxRecords = new Map();
  /** A header or map block that came in several pieces. */
  #block = Buffer.alloc(0);
  #collecting: Collecting | undefined;
  #member: Member | undefined;
  /** Map of a sparse member: still being read, then complete. */
  #pendingMap: SparseMapDecoder | undefined;
  #map: SparseMapDecoder | undefined;
  #rangeIndex = 0;
  /** Position in the file, holes counted. */
  #offset = 0;
  /** Bytes of the member's data still to come. */
  #remaining = 0;
  /** Bytes of padding to pass over. */
  #skip = 0;
  #zeroBlocks = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) at += this.#drop(chunk.length - at);
      else if (this.#collecting) at += this.#collect(chunk.subarray(at));
      else if (this.#member && !(this.#member.hasMap && !this.#map)) at += this.#data(chunk.subarray(at));
      else at += this.#blockwise(chunk.subarray(at));
    }
  }

  /** @throws BACKUP_DAMAGED if the stream ended before its end mark. */
  end(): void {
    if (this.#zeroBlocks < 2 || this.#block.length > 0) {
      const where = this.#member ? ` within ${shown(this.#member.entry.path)}` : "";
      throw damaged(`it ends before its end mark${where}; it was cut off`);
    }
  }

  #drop(available: number): number {
    const dropped = Math.min(this.#skip, available);
    this.#skip -= dropped;
    return dropped;
  }

  /** Collects one block of a header or of a sparse map. */
  #blockwise(chunk: Buffer): number {
    const taken = Math.min(BLOCK - this.#block.length, chunk.length);
    if (this.#block.length === 0 && taken === BLOCK) this.#useBlock(chunk.subarray(0, BLOCK));
    else {
      const block = Buffer.concat([this.#block, chunk.subarray(0, taken)]);
      this.#block = block.length < BLOCK ? block : Buffer.alloc(0);
      if (block.length === BLOCK) this.#useBlock(block);
    }
    return taken;
  }

  #useBlock(block: Buffer): void {
    if (this.#member) this.#useMapBlock(block);
    else this.#useHeader(block);
  }

  #useHeader(block: Buffer): void {
    const header = decodeHeader(block);
    if (header === undefined) {
      this.#zeroBlocks++;
      return;
    }
    if (this.#zeroBlocks > 0) throw damaged("there is data after its end mark");
    if ("xgLK".includes(header.type)) {
      if (header.size > MAX_EXTENDED) {
        throw damaged(`an extended header has ${header.size} bytes, allowed are ${MAX_EXTENDED}`);
      }
      this.#collecting = { header, parts: [], missing: Number(header.size) };
      this.#collectedAll();
      return;
    }
    this.#startMember(header);
  }

  #collect(chunk: Buffer): number {
    const collecting = this.#collecting!;
    const part = chunk.subarray(0, collecting.missing);
    // The chunk's memory is used again by the caller.
    collecting.parts.push(Buffer.from(part));
    collecting.missing -= part.length;
    this.#collectedAll();
    return part.length;
  }

  #collectedAll(): void {
    const { header, parts, missing } = this.#collecting!;
    if (missing > 0) return;
    this.#collecting = undefined;
    this.#skip = padding(Number(header.size));
    const data = Buffer.concat(parts);
    if (header.type === "x") for (const [key, value] of decodePax(data)) this.#pax.set(key, value);
    else if (header.type === "g") this.#global = new Map([...this.#global, ...decodePax(data)]);
    else this.#pax.set(header.type === "L" ? "path" : "linkpath", Buffer.from(untilNul(data)));
  }

  #startMember(header: RawHeader): void {
    const pax = this.#global.size > 0 ? new Map([...this.#global, ...this.#pax]) : this.#pax;
    const member = decodeEntry(header, pax);
    this.#pax = new Map();
    this.#member = member;
    this.#remaining = member.storedSize;
    this.#offset = 0;
    this.#rangeIndex = 0;
    this.#handler.entry(member.entry);
    if (!member.hasMap) this.#endIfComplete();
  }

  #useMapBlock(block: Buffer): void {
    const member = this.#member!;
    this.#pendingMap ??= new SparseMapDecoder(member.entry.size);
    this.#remaining -= BLOCK;
    if (this.#remaining < 0) throw damaged(`the map of the sparse file ${shown(member.entry.path)} is cut off`);
    if (!this.#pendingMap.push(block)) return;
    this.#map = this.#pendingMap;
    this.#pendingMap = undefined;
    const bytes = this.#map.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    if (bytes !== this.#remaining) {
      throw damaged(`the sparse file ${shown(member.entry.path)} has ${this.#remaining} bytes, its map says ${bytes}`);
    }
    this.#endIfComplete();
  }

  #data(chunk: Buffer): number {
    let part = chunk.subarray(0, this.#remaining);
    if (this.#map) {
      let range = this.#map.ranges[this.#rangeIndex]!;
      if (this.#offset < range.start) this.#offset = range.start;
      while (this.#offset >= range.end) {
        range = this.#map.ranges[++this.#rangeIndex]!;
        this.#offset = range.start;
      }
      part = part.subarray(0, range.end - this.#offset);
    }
    this.#handler.data(part, this.#offset);
    this.#offset += part.length;
    this.#remaining -= part.length;
    this.#endIfComplete();
    return part.length;
  }

  #endIfComplete(): void {
    if (this.#remaining > 0) return;
    this.#skip = padding(this.#member!.storedSize);
    this.#member = undefined;
    this.#map = undefined;
    this.#handler.entryEnd();
  }
}
