import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { ManifestTotals } from "./manifest-format.ts";

/** More than the last line of a manifest ever has. */
const TAIL_BYTES = 1024;

/**
 * What a manifest says at its end that it holds, without reading it: an estimate to prepare by. Only `readManifest`
 * tells whether it is true.
 * @returns undefined if the end says nothing of the kind
 */
export async function readManifestTotals(path: string): Promise<ManifestTotals | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) return undefined;
    const start = Math.max(0, stats.size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    const end = /\{"end":true,"entries":([0-9]{1,15}),"bytes":([0-9]{1,15}),[^\n]*\n$/.exec(
      buffer.toString("latin1", 0, bytesRead),
    );
    return end === null ? undefined : { entries: Number(end[1]), bytes: Number(end[2]) };
  } finally {
    await handle.close();
  }
}
