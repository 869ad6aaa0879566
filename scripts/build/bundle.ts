import { relative } from "node:path";
import { type BuildOptions, build } from "esbuild";
import type { BuiltFile } from "./files.ts";

/** Runs esbuild with what all bundles have in common; nothing is written. */
export async function bundle(outdir: string, options: BuildOptions): Promise<BuiltFile[]> {
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
  });
  return (result.outputFiles ?? []).map((file) => ({ path: relative(outdir, file.path), contents: file.contents }));
}

/** What the source reads at run time and a bundle has built in: see packages/convoy/src/version.ts. */
export function versionDefine(version: string): Record<string, string> {
  return { __CONVOY_VERSION__: JSON.stringify(version) };
}
