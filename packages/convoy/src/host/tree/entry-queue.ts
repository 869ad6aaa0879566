import type { ManifestEntry, ManifestWriter } from "./manifest.ts";

/** Keeps the manifest in the order of the walk while some entries are still being completed by another thread. */
export class EntryQueue {
  readonly #manifest: ManifestWriter;
  /** From the first incomplete one on; undefined while incomplete. */
  #waiting: (ManifestEntry | undefined)[] = [];
  /** Number of entries that were written or dropped from the front. */
  #written = 0;

  constructor(manifest: ManifestWriter) {
    this.#manifest = manifest;
  }

  /** Entries that wait for one before them. */
  get length(): number {
    return this.#waiting.length;
  }

  add(entry: ManifestEntry): void {
    if (this.#waiting.length === 0) this.#write(entry);
    else this.#waiting.push(entry);
  }

  /** Keeps the next place. @returns how to fill it */
  reserve(): (entry: ManifestEntry) => void {
    const place = this.#written + this.#waiting.push(undefined) - 1;
    return (entry) => {
      this.#waiting[place - this.#written] = entry;
      this.#flush();
    };
  }

  #flush(): void {
    let count = 0;
    for (const entry of this.#waiting) {
      if (entry === undefined) break;
      this.#manifest.add(entry);
      count++;
    }
    this.#waiting.splice(0, count);
    this.#written += count;
  }

  #write(entry: ManifestEntry): void {
    this.#manifest.add(entry);
    this.#written++;
  }
}
