export * from "./convoy.ts";
export { Convoy as default } from "./convoy.ts";
export { type ClientErrorCode, ConvoyClientError, type ConvoyClientErrorOptions } from "./errors.ts";
export type { CallOptions, Method, RawAnswer } from "./transport.ts";
export * from "./wire/index.ts";
