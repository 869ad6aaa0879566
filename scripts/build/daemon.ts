import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { type Bundle, bundle, versionDefine } from "./bundle.ts";

/**
 * The daemon as ES modules: `daemon.js`, what it loads on demand (the AWS SDK above all) in `chunk-*.js` beside it,
 * and one `workers/<name>.js` for every `<name>.worker.ts` (packages/convoy/src/host/workers/worker-url.ts).
 * koffi stays outside: it loads a native library from its own package.
 */
export async function bundleDaemon(root: string, version: string): Promise<Bundle> {
  const source = join(root, "packages/convoy/src");
  const workers = globSync("**/*.worker.ts", { cwd: source }).sort();
  const bundled = await bundle(join(root, "dist/daemon"), {
    absWorkingDir: root,
    entryPoints: [
      { in: join(source, "daemon/main.ts"), out: "daemon" },
      ...workers.map((file) => ({ in: join(source, file), out: `workers/${basename(file, ".worker.ts")}` })),
    ],
    format: "esm",
    splitting: true,
    // ES modules of packages that have both: a CommonJS module that is loaded on demand passes on no name but
    // `default` when esbuild splits, and the AWS SDK asks for names.
    mainFields: ["module", "main"],
    conditions: ["source", "module"],
    chunkNames: "chunk-[hash]",
    external: ["koffi"],
    define: versionDefine(version),
    // Some dependencies are CommonJS and call require for modules of Node.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  for (const { path, contents } of bundled.files) {
    if (/^export default require_/m.test(Buffer.from(contents).toString())) {
      throw new Error(
        `${path} is a CommonJS module that is loaded on demand: the names that are asked of it would be missing`,
      );
    }
  }
  return bundled;
}
