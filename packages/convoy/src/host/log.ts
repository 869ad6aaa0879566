import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import pretty from "pino-pretty";
import { requestFields } from "./request-id.ts";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  level: LogLevel;
  format: "text" | "json";
  /** File to append to; left out: standard error. */
  file?: string;
}

/** Keys whose values never reach a log, wherever they stand in a logged object. */
const SECRET_KEYS = ["password", "secret", "secretAccessKey", "sessionToken", "authorization", "token", "credentials"];

/** What may pile up while the log cannot be written (full disk); beyond it lines are dropped, the daemon goes on. */
const MAX_PENDING = 1 << 20;

export interface OpenLog {
  log: Logger;
  /** Opens the file anew, after it was moved away by log rotation. */
  reopen(): void;
}

/**
 * Opens the daemon's log. Fields in use: `operation`, `driver`, `volume`, `snapshot`, `backup`, `request`,
 * `durationMs`, `code`, `cause`, `err`; lines that are written while a request is served bear its id as `request`. A log that can no longer be written never ends the daemon.
 * @throws the system's error if the file cannot be opened.
 */
export function openLog(options: LogOptions): OpenLog {
  const destination = pino.destination({
    dest: options.file ?? 2,
    sync: true,
    append: true,
    maxLength: MAX_PENDING,
  });
  destination.on("error", () => undefined);
  const stream: DestinationStream =
    options.format === "json"
      ? destination
      : pretty({
          destination,
          colorize: options.file === undefined && process.stderr.isTTY === true,
          translateTime: "SYS:yyyy-mm-dd'T'HH:MM:ss.l o",
          ignore: "pid,hostname",
          singleLine: true,
        });
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      mixin: logMixin,
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[hidden]" },
    },
    stream,
  );
  return { log, reopen: () => options.file !== undefined && destination.reopen() };
}

/** Adds the id of the request; a logger that was made in one keeps that one's, wherever it is used. */
export function logMixin(_fields: object, _level: number, logger: Logger): { request?: string } {
  return "request" in logger.bindings() ? {} : requestFields();
}

/** As `openLog`, for logs that are not rotated. */
export function createLog(options: LogOptions): Logger {
  return openLog(options).log;
}

/** A log that goes nowhere, for programs and tests that need none. */
export function silentLog(): Logger {
  return pino({ level: "silent" });
}
