/** Writing and reading the manifests of tree snapshots; the format stands in manifest-format.ts. */
export type { ManifestHeader, ManifestTotals } from "./manifest-format.ts";
export type { ManifestEntry, SourceStat } from "./manifest-line.ts";
export { readManifest } from "./manifest-reader.ts";
export { ManifestWriter } from "./manifest-writer.ts";
