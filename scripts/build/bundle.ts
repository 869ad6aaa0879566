import { relative } from "node:path";
import { type BuildOptions, build } from "esbuild";
import type { BuiltFile } from "./files.ts";

export interface Bundle {
  files: BuiltFile[];
  /** What it was made of, below the working directory; packages of node_modules included. */
  inputs: string[];
}

/** Runs esbuild with what all bundles have in common; nothing is written. */
export async function bundle(outdir: string, options: BuildOptions): Promise<Bundle> {
  const result = await build({
    bundle: true,
    platform: "node",
    target: "node24",
    conditions: ["source"],
    charset: "utf8",
    legalComments: "inline",
    logLevel: "warning",
    ...options,
    outdir,
    write: false,
    metafile: true,
  });
  return {
    files: result.outputFiles.map((file) => ({ path: relative(outdir, file.path), contents: file.contents })),
    inputs: Object.keys(result.metafile.inputs),
  };
}

/** What the source reads at run time and a bundle has built in: see packages/convoy/src/version.ts. */
export function versionDefine(version: string): Record<string, string> {
  return { __CONVOY_VERSION__: JSON.stringify(version) };
}
