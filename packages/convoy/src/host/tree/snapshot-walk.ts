import { ConvoyError } from "../../errors.ts";
import type { Progress } from "../operation.ts";
import * as sys from "../sys.ts";
import type { TaskContext } from "../workers/index.ts";
import { Assistant } from "./assistant.ts";
import { applyAttributes, attributesOf, dropInherited } from "./attributes.ts";
import { ContentCopier } from "./copy-content.ts";
import { copyError } from "./copy-error.ts";
import { copyFile, createCopy, type FileCopy, openFile } from "./copy-file.ts";
import { copySpecial } from "./copy-special.ts";
import { CopyingDirectory } from "./copying-directory.ts";
import { DirChain, OPEN_DIRECTORY } from "./dir-chain.ts";
import { EntryQueue } from "./entry-queue.ts";
import { HardLinks, linkWithin } from "./hard-links.ts";
import { ManifestWriter } from "./manifest.ts";
import { entryOf, isVanished, openSource } from "./source.ts";
import type { SnapshotInput, SnapshotResult } from "./tasks.ts";
import { joinPath, MountBoundary, NameList, openRoot, shown } from "./walk.ts";

const PROGRESS_MS = 250;
/** Smaller snapshots are done before a second thread has started. */
const ASSIST_FROM_BYTES = 8 << 20;
/** Entries that may wait in memory for one before them to be complete. */
const MAX_WAITING_ENTRIES = 10_000;

/** The `snapshot` task. */
export function snapshot(request: SnapshotInput, context: TaskContext<Progress | "assist">): SnapshotResult {
  const manifest = new ManifestWriter(request.manifest);
  try {
    const walk = new SnapshotWalk(request, manifest, context);
    try {
      return walk.run();
    } finally {
      walk.close();
    }
  } catch (error) {
    manifest.abandon();
    throw copyError(error, Buffer.alloc(0));
  }
}

class SnapshotWalk {
  readonly #context: TaskContext<Progress | "assist">;
  readonly #manifest: ManifestWriter;
  readonly #targetPath: string;
  readonly #sourceRoot: number;
  readonly #targetRoot: number;
  readonly #source: DirChain;
  readonly #target: DirChain;
  readonly #boundary: MountBoundary;
  readonly #content: ContentCopier;
  readonly #entries: EntryQueue;
  readonly #assistant: Assistant | undefined;
  #assistantAsked = false;
  readonly #links = new HardLinks();
  readonly #stack: CopyingDirectory[] = [];
  readonly #unstable = new NameList();
  readonly #skipped = new NameList();
  #files = 0;
  #directories = 0;
  #copiedLinks = 0;
  #bytesDone = 0;
  #reportedAt = 0;

  constructor(request: SnapshotInput, manifest: ManifestWriter, context: TaskContext<Progress | "assist">) {
    this.#context = context;
    this.#manifest = manifest;
    this.#targetPath = request.target;
    this.#sourceRoot = openRoot(request.source);
    this.#source = new DirChain(this.#sourceRoot);
    try {
      this.#targetRoot = openRoot(request.target);
    } catch (error) {
      this.#source.close();
      throw error;
    }
    this.#target = new DirChain(this.#targetRoot);
    this.#entries = new EntryQueue(manifest);
    this.#assistant = request.channel && new Assistant(request.channel);
    this.#boundary = new MountBoundary(this.#sourceRoot);
    this.#content = new ContentCopier({
      reflink: request.reflink !== "never",
      onPiece: (bytes) => this.#advance(bytes),
    });
  }

  close(): void {
    this.#source.close();
    this.#target.close();
  }

  run(): SnapshotResult {
    if (sys.readDirectory(this.#targetRoot).length > 0) {
      throw new ConvoyError(
        "NOT_EMPTY",
        `the directory ${this.#targetPath}, which the snapshot is to be written to, is not empty`,
      );
    }
    const root = sys.fstat(this.#sourceRoot);
    this.#manifest.begin(this.#header(root));
    this.#context.progress({ phase: "sync" });
    sys.syncfs(this.#sourceRoot);
    dropInherited(this.#targetRoot);
    this.#enter(Buffer.alloc(0), root);
    for (let current = this.#stack.at(-1); current !== undefined; current = this.#stack.at(-1)) {
      this.#context.throwIfCancelled();
      this.#collect();
      const next = current.next();
      const path = next === undefined ? current.path : joinPath(current.path, next.name);
      try {
        if (next === undefined) this.#leave(current);
        else if (!this.#copy(next, path)) current.forget(next.name);
      } catch (error) {
        throw copyError(error, path);
      }
    }
    return this.#finish();
  }

  /** The manifest's own file tells the time of the source's file system if it is the same one. */
  #header(root: sys.Stat): { startedNs?: bigint } {
    const probe = sys.fstat(this.#manifest.fd);
    const isSame = probe.devMajor === root.devMajor && probe.devMinor === root.devMinor;
    return isSame ? { startedNs: probe.ctimeNs } : {};
  }

  /** Begins with the directory that both chains have just arrived in. */
  #enter(path: Buffer, stat: sys.Stat): void {
    const directory = new CopyingDirectory(path, this.#source.fd, stat);
    this.#entries.add(directory.entry);
    this.#directories++;
    this.#stack.push(directory);
  }

  /** @returns false if there is nothing of that name any more */
  #copy({ name, type }: sys.DirEntry, path: Buffer): boolean {
    // Files are opened at once; if the name stands for something else by now, the following finds out.
    if (type === sys.S.IFREG && this.#copyFile(name, path)) return true;
    let stat: sys.Stat;
    try {
      stat = sys.lstatat(this.#source.fd, name);
    } catch (error) {
      if (isVanished(error)) return false;
      throw error;
    }
    if (this.#isDone(name, path, stat)) return true;
    const present = stat.mode & sys.S.IFMT;
    if (present === sys.S.IFDIR) return this.#descend(name, path);
    return present === sys.S.IFREG ? this.#copyFile(name, path) : this.#copySpecial(name, path, stat);
  }

  /** Leaves out what does not belong into a snapshot, and links further names of what was copied. */
  #isDone(name: Buffer, path: Buffer, stat: sys.Stat): boolean {
    if (this.#boundary.isCrossedBy(stat)) {
      this.#skipMount(name, path, stat);
      return true;
    }
    if ((stat.mode & sys.S.IFMT) === sys.S.IFSOCK) {
      this.#skipped.add(`${shown(path)} (socket)`);
      return true;
    }
    return (stat.mode & sys.S.IFMT) !== sys.S.IFDIR && this.#linkToFirst(name, path, stat);
  }

  #descend(name: Buffer, path: Buffer): boolean {
    let from: number;
    try {
      from = openSource(this.#source.fd, name, OPEN_DIRECTORY);
    } catch (error) {
      if (isVanished(error)) return false;
      throw error;
    }
    const stat = sys.fstat(from);
    if (this.#boundary.isCrossedBy(stat, from)) {
      sys.close(from);
      this.#skipMount(name, path, stat);
      return true;
    }
    this.#source.push(name, from, stat);
    sys.mkdirat(this.#target.fd, name, 0o700);
    const to = sys.openat(this.#target.fd, name, OPEN_DIRECTORY);
    this.#target.push(name, to, sys.fstat(to));
    this.#enter(path, stat);
    return true;
  }

  /** A mounted directory stays as an empty directory: the place to mount it again. */
  #skipMount(name: Buffer, path: Buffer, stat: sys.Stat): void {
    this.#skipped.add(`${shown(path)} (another file system is mounted there)`);
    if ((stat.mode & sys.S.IFMT) !== sys.S.IFDIR) return;
    const entry = entryOf("directory", path, stat, new Map());
    sys.mkdirat(this.#target.fd, name, 0o700);
    const fd = sys.openat(this.#target.fd, name, OPEN_DIRECTORY);
    try {
      applyAttributes(fd, attributesOf(stat, new Map()), sys.fstat(fd), path);
    } finally {
      sys.close(fd);
    }
    this.#entries.add(entry);
    this.#directories++;
  }

  /** @returns false if this is the inode's first name, or it cannot be linked and is to be copied */
  #linkToFirst(name: Buffer, path: Buffer, stat: sys.Stat): boolean {
    const first = this.#links.find(stat);
    if (first === undefined) return false;
    if (!linkWithin(this.#targetRoot, first.path, this.#target.fd, name)) {
      this.#copiedLinks++;
      return false;
    }
    this.#entries.add({ ...first, path, hardLinkTo: first.path });
    this.#links.met(stat);
    return true;
  }

  #copyFile(name: Buffer, path: Buffer): boolean {
    const file = openFile(this.#source.fd, name, path);
    if (file === undefined) return false;
    const { fd: from, stat } = file;
    let to: number;
    try {
      if (this.#isDone(name, path, stat)) {
        sys.close(from);
        return true;
      }
      to = createCopy(this.#target.fd, name, file);
    } catch (error) {
      sys.close(from);
      throw error;
    }
    this.#files++;
    const copy = { from, to, path, stat };
    if (this.#handOver(copy)) return true;
    const copied = copyFile(copy, this.#content);
    if (!copied.stable) this.#unstable.add(shown(path));
    this.#entries.add(copied.entry);
    this.#links.add(stat, copied.entry);
    return true;
  }

  /** Lets the second thread copy the file if it is worth it; further links need the entry at once. */
  #handOver(copy: FileCopy): boolean {
    const { size, nlink } = copy.stat;
    if (this.#assistant === undefined || this.#content.triesReflink) return false;
    if (!Assistant.isWorthIt(size) || nlink > 1) return false;
    if (!this.#assistantAsked && this.#bytesDone >= ASSIST_FROM_BYTES) {
      this.#assistantAsked = true;
      this.#context.progress("assist");
    }
    if (!this.#assistant.canTake(size)) return false;
    const fill = this.#entries.reserve();
    this.#assistant.give(copy, ({ entry, stable }) => {
      if (!stable) this.#unstable.add(shown(copy.path));
      fill(entry);
    });
    return true;
  }

  /** Takes what the second thread has finished; waits for it only if too much waits for that. */
  #collect(): void {
    this.#assistant?.collect();
    while (this.#entries.length > MAX_WAITING_ENTRIES) this.#waitForAssistant();
  }

  #waitForAssistant(): void {
    this.#assistant?.wait();
    this.#advance(0);
  }

  #copySpecial(name: Buffer, path: Buffer, stat: sys.Stat): boolean {
    const entry = copySpecial({ from: this.#source.fd, to: this.#target.fd, name, path }, stat);
    if (entry === undefined) return false;
    this.#entries.add(entry);
    this.#links.add(stat, entry);
    return true;
  }

  /** Ends with the present directory, unless there is something new in it. */
  #leave(current: CopyingDirectory): void {
    if (!current.isComplete(this.#source.fd)) return;
    if (!current.stable) this.#unstable.add(shown(current.path));
    const attributes = attributesOf(current.stat, current.entry.xattrs ?? new Map());
    applyAttributes(this.#target.fd, attributes, sys.fstat(this.#target.fd), current.path);
    this.#stack.pop();
    const parent = this.#stack.at(-1);
    if (parent === undefined) return;
    this.#target.pop();
    try {
      this.#source.pop();
    } catch (error) {
      if (!isVanished(error)) throw error;
      parent.lose();
    }
  }

  #advance(bytes: number): void {
    this.#context.throwIfCancelled();
    this.#bytesDone += bytes;
    const now = performance.now();
    if (now - this.#reportedAt < PROGRESS_MS) return;
    this.#reportedAt = now;
    this.#context.progress({ phase: "copy", bytesDone: this.#totalBytesDone });
  }

  get #totalBytesDone(): number {
    return this.#bytesDone + (this.#assistant?.bytesDone ?? 0);
  }

  #finish(): SnapshotResult {
    while (this.#assistant?.isBusy) this.#waitForAssistant();
    this.#context.progress({ phase: "sync", bytesDone: this.#totalBytesDone });
    sys.syncfs(this.#targetRoot);
    const { entries, bytes } = this.#manifest.finish();
    return {
      entries,
      files: this.#files,
      directories: this.#directories,
      bytes,
      reflinked: this.#content.reflinked,
      onePointInTime: this.#unstable.count === 0,
      unstable: this.#unstable.names,
      unstableCount: this.#unstable.count,
      skipped: this.#skipped.names,
      skippedCount: this.#skipped.count,
      copiedLinks: this.#copiedLinks,
    };
  }
}
