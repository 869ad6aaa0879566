import { readFileSync } from "node:fs";

declare const __CONVOY_VERSION__: string | undefined;

/** Version of this program, from package.json; bundles have it built in. */
export const VERSION: string = typeof __CONVOY_VERSION__ === "string" ? __CONVOY_VERSION__ : versionOfSource();

function versionOfSource(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
