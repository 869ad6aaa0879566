export type * from "./answers.ts";
export { ERROR_CODES, type ErrorCode } from "./errors.ts";
export type { Infer, Schema } from "./infer.ts";
export { isValidName, MAX_SNAPSHOT_NAME, MAX_VOLUME_NAME, NAME_PATTERN } from "./names.ts";
export * from "./requests.ts";
export { parseSize, SIZE_HELP } from "./sizes.ts";
export { unescapeBackupUrl } from "./urls.ts";
