import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { bundle } from "./bundle.ts";
import type { BuiltFile } from "./files.ts";

/**
 * The client library as it is published: for `require`, which gives the class itself, for `import`, the wire
 * contract on its own, and the types of all three.
 */
export async function bundleClient(directory: string): Promise<BuiltFile[]> {
  const source = join(directory, "src");
  const dist = join(directory, "dist");
  const published = { target: "node18" };
  const [commonjs, modules] = await Promise.all([
    bundle(dist, {
      ...published,
      entryPoints: [{ in: join(source, "index.ts"), out: "index" }],
      format: "cjs",
      outExtension: { ".js": ".cjs" },
      footer: { js: "module.exports = Object.assign(module.exports.Convoy, module.exports);" },
    }),
    bundle(dist, {
      ...published,
      entryPoints: [
        { in: join(source, "index.ts"), out: "index" },
        { in: join(source, "wire/index.ts"), out: "wire" },
      ],
      format: "esm",
      outExtension: { ".js": ".mjs" },
    }),
  ]);
  return [...commonjs.files, ...modules.files, ...declarations(directory)];
}

/** The types, by the compiler; and those of the CommonJS form, written by hand in src/index.d.cts. */
function declarations(directory: string): BuiltFile[] {
  const out = mkdtempSync(join(tmpdir(), "convoy-types-"));
  try {
    const tsc = join(directory, "../../node_modules/typescript/bin/tsc");
    const { status } = spawnSync(
      process.execPath,
      [tsc, "-p", join(directory, "tsconfig.build.json"), "--outDir", out],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    if (status !== 0) throw new Error("the types of the client could not be made");
    const files = readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return [
      ...files.map((file) => ({ path: relative(out, file), contents: publishedImports(readFileSync(file, "utf8")) })),
      { path: "index.d.cts", contents: readFileSync(join(directory, "src/index.d.cts")) },
    ];
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** The compiler keeps the `.ts` of imports in declarations; published, the files that are meant end in `.d.ts`. */
function publishedImports(declaration: string): Uint8Array {
  return Buffer.from(declaration.replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
}
