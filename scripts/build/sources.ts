import { dirname } from "node:path";
import type { BuiltFile } from "./files.ts";

/**
 * Names for bin/convoy what the bundles were made of, so that it can see without a child process and without reading
 * directories whether they are out of date: our own files, and their directories, whose time changes when a file is
 * added or removed.
 * @param inputs relative to the checkout.
 */
export function sourcesFile(inputs: readonly string[]): BuiltFile {
  const files = inputs.filter((file) => /^packages\/[\w./-]+$/.test(file) && !file.includes("node_modules"));
  const names = new Set([...files, ...files.map((file) => dirname(file)), "packages/convoy/package.json"]);
  return { path: "sources.sh", contents: Buffer.from(`sources='\n${[...names].sort().join("\n")}\n'\n`) };
}
