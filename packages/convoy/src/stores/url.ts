import { posix } from "node:path";
import { isValidName } from "node-convoy/wire";
import { ConvoyError } from "../errors.ts";

/** Where backups lie, taken apart. */
export type StoreUrl =
  | {
      scheme: "vfs";
      /** Absolute, cleaned, without a slash at the end. */
      path: string;
      /** As `list` and `inspect` print it. */
      url: string;
    }
  | {
      scheme: "s3";
      bucket: string;
      /** Empty: from the daemon's environment. */
      region: string;
      /** Cleaned, without slashes at the ends; empty for the bucket's root. */
      prefix: string;
      url: string;
    };

export interface BackupUrl {
  /** Everything before the `?`: what `openStore` takes. */
  destination: string;
  backup: string;
  volume: string;
}

const S3_FORMAT = "Invalid URL. Must be either s3://bucket@region/path/, or s3://bucket/path";

function invalid(message: string, url: string, hint?: string): ConvoyError {
  const got = url === "" ? "" : ` (got '${url}')`;
  return new ConvoyError("INVALID_URL", message, {
    hint: `${hint ?? "Write vfs:///path/ for a directory, or s3://bucket@region/path/ for S3"}${got}.`,
  });
}

/**
 * Takes a store's URL apart; a query (the URL of one backup) is ignored, as v0.5.2 did.
 * Texts of the errors are those of v0.5.2.
 * @throws INVALID_URL
 */
export function parseStoreUrl(text: string): StoreUrl {
  if (text === "") throw invalid("Destination URL hasn't been specified", "");
  const parts = /^([a-zA-Z][a-zA-Z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)/.exec(text);
  const scheme = (parts?.[1] ?? "").toLowerCase();
  const authority = parts?.[2] ?? "";
  const path = parts?.[3] ?? "";
  if (scheme === "vfs") return parseVfs(text, authority, decodePath(path, text));
  if (scheme === "s3") return parseS3(text, authority, decodePath(path, text));
  throw invalid(`Driver ${scheme} is not supported!`, text);
}

/**
 * Like `parseStoreUrl`, for a place that a backup is written to: the backup's URL is this text and a query, so it must
 * have neither query nor fragment.
 */
export function parseDestination(text: string): StoreUrl {
  const store = parseStoreUrl(text);
  if (/[?#]/.test(text)) {
    throw invalid("A destination has no '?' or '#'", text, "Give the store's URL only; write %3F and %23 in a path");
  }
  return store;
}

function decodePath(path: string, text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch (cause) {
    const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path)?.[0] ?? path;
    throw new ConvoyError("INVALID_URL", `parse ${text}: invalid URL escape "${wrong}"`, {
      cause,
      hint: "Write a percent sign of a path as %25; escapes must be UTF-8.",
    });
  }
  if (decoded.includes("\0")) throw invalid("A path holds no NUL character", text);
  return decoded;
}

/** The characters that would not come back when the URL is parsed again. */
function encodePath(path: string): string {
  return path.replace(/[%?#\p{Cc}]/gu, (character) => encodeURIComponent(character));
}

function parseVfs(text: string, authority: string, path: string): StoreUrl {
  if (authority !== "") throw invalid("VFS path must follow: vfs:///path/ format", text);
  if (path === "") throw invalid("Cannot find vfs path", text);
  if (!path.startsWith("/")) throw invalid("VFS path must follow: vfs:///path/ format", text);
  const clean = posix
    .normalize(path)
    .replace(/^\/+/, "/")
    .replace(/(?<=.)\/+$/, "");
  return { scheme: "vfs", path: clean, url: `vfs://${encodePath(clean)}` };
}

function parseS3(text: string, authority: string, path: string): StoreUrl {
  const at = authority.lastIndexOf("@");
  const bucket = at < 0 ? authority : authority.slice(0, at);
  const region = at < 0 ? "" : authority.slice(at + 1);
  const relative = path.replace(/^\/+/, "");
  const prefix = posix.normalize(`/${relative}`).replace(/^\/+|\/+$/g, "");
  const valid =
    /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(bucket) &&
    (at < 0 || /^[a-zA-Z0-9][a-zA-Z0-9_-]*$/.test(region)) &&
    path !== "" &&
    !relative.split("/").includes("..");
  if (!valid) {
    // A password that stands in the place of a region or a bucket must not come back in an error.
    throw invalid(S3_FORMAT, authority.includes(":") ? "" : text);
  }
  const place = region === "" ? bucket : `${bucket}@${region}`;
  return { scheme: "s3", bucket, region, prefix, url: `s3://${place}/${encodePath(relative)}` };
}

/**
 * Takes a backup's URL apart. Where `&` stands as `\u0026` (JSON's escape, as v0.5.2 prints it in plain text) or as
 * `u0026` (a shell has eaten the backslash) it is undone, in the query only.
 * @throws INVALID_URL
 */
export function parseBackupUrl(text: string): BackupUrl {
  if (text === "") throw invalid("Destination URL hasn't been specified", "");
  const mark = text.indexOf("?");
  const destination = mark < 0 ? text : text.slice(0, mark);
  if (/%(?![0-9a-fA-F]{2})/.test(destination)) {
    throw invalid(`Invalid format for backup URL: ${text}`, "", "Write a percent sign of a path as %25");
  }
  // Valid names hold no `=`, so what stands before a key and its `=` can only be a separator.
  const query = mark < 0 ? "" : text.slice(mark + 1).replace(/\\?u0026(?=(?:backup|volume)=)/g, "&");
  const values = new URLSearchParams(query.replace(/#.*$/s, ""));
  const backup = values.get("backup") ?? "";
  const volume = values.get("volume") ?? "";
  if (!isValidName(backup) || !isValidName(volume)) {
    throw invalid(
      `Invalid name parsed, got ${backup} and ${volume}`,
      text,
      "A backup's URL ends in ?backup=<name>&volume=<name>; put it in single quotes, or the shell cuts it at the '&'",
    );
  }
  parseStoreUrl(destination);
  return { destination, backup, volume };
}

/** URL of a backup: the destination exactly as the user gave it and the query, keys in alphabetical order. */
export function buildBackupUrl(destination: string, backup: string, volume: string): string {
  return `${destination}?backup=${encodeURIComponent(backup)}&volume=${encodeURIComponent(volume)}`;
}
