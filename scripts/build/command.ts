import { join } from "node:path";
import type { Plugin } from "esbuild";
import { type Bundle, bundle, versionDefine } from "./bundle.ts";

/**
 * The command line as one CommonJS file: measured, an ES module that imports `node:http` starts 40 ms later, because
 * binding all names of that module loads the WebSocket client too.
 * @param daemon where `convoy daemon` finds the daemon, relative to the file.
 */
export function bundleCommand(root: string, version: string, daemon: string): Promise<Bundle> {
  return bundle(join(root, "dist"), {
    absWorkingDir: root,
    entryPoints: [{ in: join(root, "packages/convoy/src/cli/main.ts"), out: "convoy" }],
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    define: versionDefine(version),
    // Drops the part of version.ts that reads package.json, and with it the only use of import.meta.
    minifySyntax: true,
    logOverride: { "empty-import-meta": "silent" },
    plugins: [daemonElsewhere(daemon)],
  });
}

function daemonElsewhere(path: string): Plugin {
  return {
    name: "daemon-elsewhere",
    setup(build) {
      build.onResolve({ filter: /\/daemon\/main\.ts$/ }, () => ({ path, external: true }));
    },
  };
}
