import { ConvoyError } from "../errors.ts";
import type { Logger } from "../host/log.ts";
import type { MarkerMemory } from "../host/root.ts";
import type { Store } from "./store.ts";
import { parseStoreUrl, type StoreUrl } from "./url.ts";

export interface OpenStoreOptions {
  /** S3 service address, as `http://minio.example.com:9000`; empty: Amazon's own. */
  endpoint: string;
  /** Which markers this root has seen (R11). */
  memory: MarkerMemory;
  log: Logger;
}

type Opener<S extends StoreUrl["scheme"]> = (
  place: Extract<StoreUrl, { scheme: S }>,
  options: OpenStoreOptions,
) => Promise<Store>;

/** One line per kind of store; each is loaded when it is first used. */
const openers: { [S in StoreUrl["scheme"]]: Opener<S> } = {
  vfs: async (place, options) =>
    (await import("./directory/directory-store.ts")).DirectoryStore.open({ ...place, ...options }),
  s3: async (place, options) => (await import("./s3/open.ts")).openS3Store(place, options),
};

/**
 * Opens the store of a destination (or of a backup's URL). Close it when the operation is over.
 * @throws INVALID_URL, UNSUPPORTED (an endpoint with a directory), UNREACHABLE (the directory is not there)
 */
export async function openStore(destination: string, options: OpenStoreOptions): Promise<Store> {
  const place = parseStoreUrl(destination);
  if (place.scheme === "s3") return openers.s3(place, options);
  if (options.endpoint !== "") {
    throw new ConvoyError("UNSUPPORTED", `Driver ${place.scheme} does not support custom endpoints`, {
      hint: "Leave the endpoint out; it belongs to s3:// only.",
    });
  }
  return openers[place.scheme](place, options);
}
