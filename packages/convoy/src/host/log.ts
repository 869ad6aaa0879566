import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import pretty from "pino-pretty";

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

/** Makes the daemon's log. Fields in use: `operation`, `driver`, `volume`, `snapshot`, `backup`, `durationMs`, `err`. */
export function createLog(options: LogOptions): Logger {
  const destination: DestinationStream =
    options.format === "json"
      ? pino.destination({ dest: options.file ?? 2, sync: true, append: true })
      : pretty({
          destination: options.file ?? 2,
          sync: true,
          append: true,
          mkdir: false,
          colorize: options.file === undefined && process.stderr.isTTY === true,
          translateTime: "SYS:yyyy-mm-dd'T'HH:MM:ss.l o",
          ignore: "pid,hostname",
          singleLine: true,
        });
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[hidden]" },
    },
    destination,
  );
}

/** A log that goes nowhere, for programs and tests that need none. */
export function silentLog(): Logger {
  return pino({ level: "silent" });
}
