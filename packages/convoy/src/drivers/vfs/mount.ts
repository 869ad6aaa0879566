import { ConvoyError, errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import type { Holder, MountRequest, UmountRequest } from "../driver.ts";
import type { Intent } from "../records/intents.ts";
import { names, refuseIntents, type VfsContext, withRecord } from "./context.ts";
import type { VfsRecord } from "./record.ts";

/** Docker engines before 1.12 send no id: they share one holder of this name (R9). */
const DOCKER_WITHOUT_ID = "docker";

function holderId(holder: UmountRequest["holder"]): string {
  return holder.kind === "docker" && holder.id === "" ? DOCKER_WITHOUT_ID : holder.id;
}

/** "Mounts" a volume: a vfs volume is a directory, so only the holder and, for VMs, the image are made. */
export async function mountVolume(context: VfsContext, name: string, request: MountRequest): Promise<string> {
  const path = `${context.config.path}/${name}`;
  return context.share.change(async (share) => {
    await withRecord(context, share, name, async (record) => {
      refuseChosenPlace(name, request);
      const leaving = (open: Intent) =>
        names(open, name) && (open.Operation === "delete" || open.Operation === "rename");
      await refuseIntents(context, share, `Mounting volume ${name}`, leaving);
      await openVolume(share.base, name, async (directory) => {
        if (record.PrepareForVM) await makeImage(directory, record);
      });
      await context.holders.add(share.state, name, request.holder.kind, holderId(request.holder));
      if (record.MountPoint === "") await context.records.write(share.config, { ...record, MountPoint: path });
    });
    return path;
  });
}

function refuseChosenPlace(name: string, request: MountRequest): void {
  if (request.mountPoint === "") return;
  throw new ConvoyError("UNSUPPORTED", "VFS doesn't support specified mount point", {
    hint: `A vfs volume is a directory and is used where it lies: 'convoy mount ${name}' prints the place.`,
  });
}

/** Opens a volume's directory for `work`. */
export async function openVolume<T>(base: Dir, name: string, work: (directory: Dir) => Promise<T>): Promise<T> {
  let directory: Dir;
  try {
    directory = await base.sub(name);
  } catch (cause) {
    throw new ConvoyError(
      "UNREACHABLE",
      `The directory of volume ${name}, ${base.path}/${name}, cannot be used: ${errnoOf(cause)}`,
      {
        cause,
        hint: "It has to be a real directory. Put it back, or delete the volume.",
      },
    );
  }
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
}

const IMAGE = "disk.img";

/** Makes the VM's image, sparse, unless it is there. An image of another size is left as it is. */
async function makeImage(directory: Dir, record: VfsRecord): Promise<void> {
  const stats = await directory.stat(IMAGE);
  if (stats?.isFile()) return;
  if (stats !== undefined) {
    throw new ConvoyError(
      "NAME_TAKEN",
      `The image is already exists at ${directory.path}/${IMAGE}, but is no regular file`,
      {
        hint: "Move it away; the image is made at the next mount.",
      },
    );
  }
  const handle = await directory.openNew(IMAGE);
  try {
    await handle.truncate(record.Size);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await directory.sync();
}

/** A recorded mount that nobody has put a name to: an original's, on whatever host of the share. */
const UNKNOWN_HOLDER: Holder = { kind: "legacy", root: "unknown", host: "unknown", id: "", since: "an unknown time" };

/** Ends holders; the record's mount point is cleared when none remains on any host. */
export async function umountVolume(context: VfsContext, name: string, request: UmountRequest): Promise<Holder[]> {
  return context.share.change((share) =>
    withRecord(context, share, name, async (record) => {
      const before = await context.holders.list(share.state, name);
      if (before.length === 0 && record.MountPoint !== "" && !request.force) return [UNKNOWN_HOLDER];
      const ends = endedBy(context, request);
      const remaining = before.filter((holder) => !ends(holder));
      // The field first: if this dies in between, the holders still say that the volume is mounted.
      if (remaining.length === 0) await recordMountPoint(context, share.config, record, remaining);
      if (request.force && request.forceRoot !== "") {
        await context.holders.removeRoot(share.state, name, request.forceRoot);
      } else {
        const own = (kind: Holder["kind"], id: string) =>
          ends({ ...UNKNOWN_HOLDER, kind, id, root: context.holders.root });
        await context.holders.remove(share.state, name, own);
      }
      return remaining;
    }),
  );
}

/** Which holders a request ends: one of this root; with `force` all of this root, or of the other root that it names. */
function endedBy(context: VfsContext, request: UmountRequest): (holder: Holder) => boolean {
  const { force, forceRoot } = request;
  if (force) return (holder) => holder.root === (forceRoot === "" ? context.holders.root : forceRoot);
  const id = holderId(request.holder);
  const { kind } = request.holder;
  return (holder) =>
    holder.root === context.holders.root &&
    // A mount that v0.5.2 left ends by hand, too.
    ((holder.kind === kind && holder.id === id) || (holder.kind === "legacy" && kind === "manual"));
}

/** Makes the record's field say what the holders say; an original may have cleared it (R9). */
export async function recordMountPoint(
  context: VfsContext,
  config: Dir,
  record: VfsRecord,
  holders: readonly Holder[],
): Promise<VfsRecord> {
  const held = holders.length > 0;
  if (held === (record.MountPoint !== "")) return record;
  const corrected = { ...record, MountPoint: held ? `${context.config.path}/${record.Name}` : "" };
  await context.records.write(config, corrected);
  return corrected;
}
