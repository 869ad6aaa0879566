import { ConvoyClientError } from "node-convoy";
import { ConvoyError, messageOf } from "../errors.ts";
import { UsageError } from "./parse.ts";

/** The text of a failure as v0.5.2 put it into the error object on standard output. */
export function errorText(error: unknown): string {
  if (error instanceof UsageError) return `Error when executing command: ${error.message}`;
  if (error instanceof ConvoyClientError && error.status > 0) {
    // No reason at all: v0.5.2 takes that for a daemon of another version.
    if (error.code === "BAD_ANSWER") return "Incompatible version";
    return `Error response from server, ${error.message}\n`;
  }
  return messageOf(error);
}

/** What to do next when the daemon, or the place where the error was made, gave no hint of its own. */
const HINTS: Readonly<Record<string, string>> = {
  VOLUME_NOT_FOUND: "`convoy list` shows the volumes, `convoy list --detached` those removed with --reference.",
  SNAPSHOT_NOT_FOUND: "`convoy inspect <volume>` shows the snapshots of a volume.",
  BACKUP_NOT_FOUND: "`convoy backup list <dest>` shows the backups in a store.",
  DRIVER_NOT_FOUND: "`convoy info` shows the drivers that the daemon was started with.",
  VOLUME_EXISTS: "Choose another name, or leave the name out to get one made up.",
  SNAPSHOT_EXISTS: "Choose another name, or leave --name out to get one made up; names are shared by all volumes.",
  VOLUME_MOUNTED: "Stop the containers that use the volume, or `convoy umount` it, and try again.",
  STILL_HELD: "`convoy inspect <volume>` shows who holds the mount.",
  UNREACHABLE: "Check that the share or disk is mounted and answers, then try again.",
  NO_SPACE: "Make room on that file system, then try again.",
};

/** One sentence that says what to do next. */
export function hintFor(error: unknown, command: string): string {
  const given = error instanceof ConvoyClientError || error instanceof ConvoyError ? error.hint : undefined;
  if (given) return given;
  const code = error instanceof ConvoyClientError || error instanceof ConvoyError ? error.code : "";
  const fromText = hintFromText(messageOf(error));
  return HINTS[code] ?? fromText ?? `\`${command} --help\` shows options and examples.`;
}

/** Daemons of v0.5.2 send no codes: their commonest texts are known. */
function hintFromText(message: string): string | undefined {
  if (message.startsWith("Volume not found") || /^volume .* doesn't exist$/.test(message))
    return HINTS["VOLUME_NOT_FOUND"];
  if (/^(cannot find volume for|Cannot find volume of) snapshot /.test(message)) return HINTS["SNAPSHOT_NOT_FOUND"];
  if (/ in objectstore$/.test(message)) return HINTS["BACKUP_NOT_FOUND"];
  if (/^Volume .* already exists/.test(message)) return HINTS["VOLUME_EXISTS"];
  if (/^Snapshot name .* already exists/.test(message)) return HINTS["SNAPSHOT_EXISTS"];
  if (/still mounted|hasn't been umounted/.test(message)) return HINTS["VOLUME_MOUNTED"];
  if (/^Cannot find driver /.test(message)) return HINTS["DRIVER_NOT_FOUND"];
  return undefined;
}
