/**
 * Where the program of a worker is. `importMetaUrl` is the caller's `import.meta.url`:
 * - from source (a `.ts` file) the program is `<name>.worker.ts` in the caller's folder;
 * - in a bundle (a `.js` file, ES module format) it is `workers/<name>.js` beside the bundle. The build makes one such
 *   file of every `*.worker.ts`; names must therefore be unique.
 */
export function workerUrl(name: string, importMetaUrl: string): URL {
  const fromSource = new URL(importMetaUrl).pathname.endsWith(".ts");
  return new URL(fromSource ? `./${name}.worker.ts` : `./workers/${name}.js`, importMetaUrl);
}
