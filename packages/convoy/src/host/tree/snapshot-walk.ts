import { ConvoyError, errnoOf } from "../../errors.ts";
import type { Progress } from "../operation.ts";
import * as sys from "../sys.ts";
import type { TaskContext } from "../workers/index.ts";
import { applyAttributes, attributesOf, dropInherited } from "./attributes.ts";
import { ContentCopier } from "./copy-content.ts";
import { copyFile, copySpecial, entryOf, isSameState, isVanished, openSource, type Place, REREADS } from "./copy-entry.ts";
import { DirChain, OPEN_DIRECTORY } from "./dir-chain.ts";
import { HardLinks, linkWithin } from "./hard-links.ts";
import { type ManifestEntry, ManifestWriter } from "./manifest.ts";
import type { SnapshotRequest, SnapshotResult } from "./tasks.ts";
import { joinPath, listSorted, MountBoundary, NameList, openRoot, shown } from "./walk.ts";

const PROGRESS_MS = 250;

/** The `snapshot` task. */
export function snapshot(request: SnapshotRequest, context: TaskContext<Progress>): SnapshotResult {
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
    throw error;
  }
}

/** A directory that is being copied. */
interface Copying {
  path: Buffer;
  /** As it was when it was entered; its copy gets these values when its content is complete. */
  entry: ManifestEntry;
  stat: sys.Stat;
  /** As it was directly before it was last listed. */
  listed: sys.Stat;
  /** Still to be copied, the last first. */
  pending: Buffer[];
  /** Names that were listed so far, as latin1. */
  seen: Set<string>;
  rereads: number;
  stable: boolean;
}

class SnapshotWalk {
  readonly #context: TaskContext<Progress>;
  readonly #manifest: ManifestWriter;
  readonly #sourceRoot: number;
  readonly #targetRoot: number;
  readonly #source: DirChain;
  readonly #target: DirChain;
  readonly #boundary: MountBoundary;
  readonly #content: ContentCopier;
  readonly #links = new HardLinks();
  readonly #stack: Copying[] = [];
  readonly #unstable = new NameList();
  readonly #skipped = new NameList();
  #files = 0;
  #directories = 0;
  #copiedLinks = 0;
  #bytesDone = 0;
  #reportedAt = 0;

  constructor(request: SnapshotRequest, manifest: ManifestWriter, context: TaskContext<Progress>) {
    this.#context = context;
    this.#manifest = manifest;
    this.#sourceRoot = openRoot(request.source);
    this.#source = new DirChain(this.#sourceRoot);
    try {
      this.#targetRoot = openRoot(request.target);
    } catch (error) {
      this.#source.close();
      throw error;
    }
    this.#target = new DirChain(this.#targetRoot);
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
      throw new ConvoyError("NOT_EMPTY", "the directory that a snapshot is to be written to is not empty");
    }
    const root = sys.fstat(this.#sourceRoot);
    this.#manifest.begin(this.#header(root));
    this.#context.progress({ phase: "sync" });
    // Without it the copy of a file could be older than the times that it is recorded with (R15).
    sys.syncfs(this.#sourceRoot);
    dropInherited(this.#targetRoot);
    this.#begin(Buffer.alloc(0), root);
    for (let current = this.#stack.at(-1); current !== undefined; current = this.#stack.at(-1)) {
      this.#context.throwIfCancelled();
      const name = current.pending.pop();
      if (name === undefined) this.#leave(current);
      else this.#guard(joinPath(current.path, name), (path) => this.#copy(name, path));
    }
    return this.#finish();
  }

  /** The manifest's own file tells the time of the source's file system if it is the same one. */
  #header(root: sys.Stat): { startedNs?: bigint } {
    const probe = sys.fstat(this.#manifest.fd);
    const isSame = probe.devMajor === root.devMajor && probe.devMinor === root.devMinor;
    return isSame ? { startedNs: probe.ctimeNs } : {};
  }

  #finish(): SnapshotResult {
    this.#context.progress({ phase: "sync", bytesDone: this.#bytesDone });
    const root = openRoot(`/proc/self/fd/${this.#manifestDirectoryTree}`);
    return this.#result(root);
  }
}
