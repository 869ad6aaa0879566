import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { type Bundle, bundle, versionDefine } from "./bundle.ts";

/**
 * The daemon as ES modules: `daemon.js`, what it loads on demand (the AWS SDK above all) in `chunk-*.js` beside it,
 * and one `workers/<name>.js` for every `<name>.worker.ts` (packages/convoy/src/host/workers/worker-url.ts).
 * koffi stays outside: it loads a native library from its own package.
 */
export function bundleDaemon(root: string, version: string): Promise<Bundle> {
  const source = join(root, "packages/convoy/src");
  const workers = globSync("**/*.worker.ts", { cwd: source }).sort();
  return bundle(join(root, "dist/daemon"), {
    absWorkingDir: root,
    entryPoints: [
      { in: join(source, "daemon/main.ts"), out: "daemon" },
      ...workers.map((file) => ({ in: join(source, file), out: `workers/${basename(file, ".worker.ts")}` })),
    ],
    format: "esm",
    splitting: true,
    chunkNames: "chunk-[hash]",
    external: ["koffi"],
    define: versionDefine(version),
    // Some dependencies are CommonJS and call require for modules of Node.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
}
