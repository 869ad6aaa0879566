import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConvoyError, errnoOf } from "../errors.ts";
import type { Dir } from "./dir.ts";
import { isWithin, readMounts } from "./mountinfo.ts";
import { type MarkerMemory, newId } from "./root.ts";

const FILE = "marker.json";

export interface MarkerRequest {
  /** How messages and the memory name the place: its absolute path. */
  place: string;
  /** Sub-directories of the base in which the marker lies. */
  directory: readonly string[];
  memory: MarkerMemory;
  /** `write` writes a missing marker and learns a new one; `check` refuses the same things but changes nothing. */
  mode: "write" | "check";
  /** The user said that another (or an empty) disk is meant. */
  init: boolean;
  /** A directory that a tree of v0.5.2 must have: with a taken-over root its absence means that the share is not mounted. */
  expectedOfOriginal?: string;
  /** Flag that says `init`, for the hint. */
  initFlag: string;
}

/**
 * Makes sure that the directory behind `base` is the one that is meant (R11), looking only through the open handle.
 * @returns the marker's id; undefined at a first use in mode `check`, when there is no marker yet.
 * @throws UNREACHABLE if the remembered disk is not there, MARKER_MISMATCH if another one is.
 */
export async function verifyMarker(base: Dir, request: MarkerRequest): Promise<string | undefined> {
  const { place, memory, init, mode } = request;
  const present = await readMarker(base, request.directory, place);
  const remembered = memory.remembered(place);
  if (present !== undefined) {
    if (remembered.includes(present)) return present;
    if (remembered.length > 0 && !init) throw mismatch(request, present);
    if (mode === "write") await memory.remember(place, present);
    return present;
  }
  if (remembered.length > 0) {
    if (!init) throw absent(request);
  } else if (!init) {
    await refuseUnmounted(base, request);
  }
  if (mode === "check") return undefined;
  const id = await writeMarker(base, request.directory, place);
  await memory.remember(place, id);
  return id;
}

async function readMarker(base: Dir, directory: readonly string[], place: string): Promise<string | undefined> {
  let dir: Dir;
  try {
    dir = await base.descend(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const text = await dir.readText(FILE, 4096);
    if (text === undefined) return undefined;
    const id = /^\{"ID":"([0-9a-f]{32})"/.exec(text)?.[1];
    if (id === undefined) {
      throw new ConvoyError("RECORD_DAMAGED", `The marker of ${place} (${dir.path}/${FILE}) is damaged`, {
        hint: "Compare it with the id that this host remembers, or remove it and say once that the place is meant.",
      });
    }
    return id;
  } finally {
    await dir.close();
  }
}

/** Of two hosts that write the first marker at once, one wins and both take its id. */
async function writeMarker(base: Dir, directory: readonly string[], place: string): Promise<string> {
  const dir = await base.descend(directory, { create: true });
  try {
    const id = newId();
    await dir.createExclusive(FILE, `${JSON.stringify({ ID: id, Created: new Date().toISOString() })}\n`);
    return id;
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    const winner = await readMarker(base, directory, place);
    if (winner === undefined) throw error;
    return winner;
  } finally {
    await dir.close();
  }
}

/** At a first use: a place that the system expects to be a mount, but is not mounted, is not accepted. */
async function refuseUnmounted(base: Dir, request: MarkerRequest): Promise<void> {
  const { place } = request;
  const expected = (await expectedMountPoints()).filter((point) => point !== "/" && isWithin(place, point));
  if (expected.length > 0) {
    const mounted = new Set((await readMounts()).map((mount) => mount.mountPoint));
    const missing = expected.find((point) => !mounted.has(point));
    if (missing !== undefined) {
      throw new ConvoyError("UNREACHABLE", `${place} is not there: ${missing} should be mounted but is not`, {
        hint: `Mount it (mount ${missing}) and try again; if the bare directory is meant, say so once with ${request.initFlag}.`,
      });
    }
  }
  if (request.memory.takenOver && request.expectedOfOriginal !== undefined) {
    if ((await base.stat(request.expectedOfOriginal)) === undefined) {
      throw new ConvoyError(
        "UNREACHABLE",
        `${place} has no ${request.expectedOfOriginal}/ although this root has used it before: the share is probably not mounted`,
        { hint: `Mount it and try again; if the empty directory is meant, say so once with ${request.initFlag}.` },
      );
    }
  }
}

/** Mount points of /etc/fstab and of systemd mount units. */
async function expectedMountPoints(): Promise<string[]> {
  const points: string[] = [];
  const fstab = await readFile("/etc/fstab", "utf8").catch(() => "");
  for (const line of fstab.split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (fields.length < 2 || fields[0]!.startsWith("#") || !fields[1]!.startsWith("/")) continue;
    points.push(fields[1]!.replace(/\\040/g, " "));
  }
  for (const directory of ["/etc/systemd/system", "/run/systemd/system"]) {
    const units = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".mount"));
    for (const unit of units) {
      const where = /^Where=(\/.*)$/m.exec(await readFile(join(directory, unit), "utf8").catch(() => ""))?.[1];
      if (where !== undefined) points.push(where.trim());
    }
  }
  return points;
}

function mismatch(request: MarkerRequest, present: string): ConvoyError {
  return new ConvoyError(
    "MARKER_MISMATCH",
    `${request.place} is not the directory that this host has used before (marker ${present}): another disk or share is in its place`,
    { hint: `Mount the right one; if this one is meant, say so once with ${request.initFlag}.` },
  );
}

function absent(request: MarkerRequest): ConvoyError {
  return new ConvoyError(
    "UNREACHABLE",
    `${request.place} is unreachable: the disk or share that was used before is not there`,
    {
      hint: `Mount it and try again; if this empty directory is meant, say so once with ${request.initFlag}.`,
    },
  );
}
