/** Single-file archives of tree snapshots: docs/backup-format.md, "Single-file archives". */
export { type ExtractArchiveRequest, type ExtractedArchive, extractArchive } from "./extract/extract-archive.ts";
export {
  type ArchiveSummary,
  type WriteArchiveRequest,
  type WrittenArchive,
  writeArchive,
} from "./write/write-archive.ts";
