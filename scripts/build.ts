import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleClient } from "./build/client.ts";
import { bundleCommand } from "./build/command.ts";
import { bundleDaemon } from "./build/daemon.ts";
import { contentId, sizeOf, touch, writeFiles } from "./build/files.ts";
import { sourcesFile } from "./build/sources.ts";

/**
 * `npm run build`: makes
 * - `dist/convoy.cjs`, the command line, small because every command starts it;
 * - `dist/<id>/`, the daemon with its lazily loaded parts and worker threads; `<id>` is a hash of the content;
 * - `dist/sources.sh`, what they were made of, for bin/convoy;
 * - `packages/client/dist/`, the client library as it is published.
 *
 * Programs that run may load parts of a bundle later: a build therefore never changes or removes the directory of the
 * present one; it makes a new one, lets `dist/convoy.cjs` point to it by one rename, and keeps the last few.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const BUILDS_KEPT = 3;

const startedAt = new Date();
const { version } = JSON.parse(readFileSync(join(root, "packages/convoy/package.json"), "utf8")) as { version: string };

const daemon = await bundleDaemon(root, version);
const daemonFiles = daemon.files;
const id = contentId(daemonFiles);
const target = join(dist, id);
if (statSync(target, { throwIfNoEntry: false }) === undefined) {
  const temporary = join(dist, `.${id}.${process.pid}`);
  writeFiles(temporary, daemonFiles);
  try {
    renameSync(temporary, target);
  } catch (error) {
    // Another build of the same content was faster.
    rmSync(temporary, { recursive: true, force: true });
    if (statSync(target, { throwIfNoEntry: false }) === undefined) throw error;
  }
}
touch(target, startedAt);
console.log(`dist/${id}/ (daemon, ${daemonFiles.length} files) ${sizeOf(daemonFiles)}`);

const command = await bundleCommand(root, version, `./${id}/daemon.js`);
mkdirSync(dist, { recursive: true });
writeFiles(dist, [sourcesFile([...daemon.inputs, ...command.inputs]), ...command.files]);
// bin/convoy runs the sources when one of them is newer than this file: what was edited during the build is.
touch(join(dist, "convoy.cjs"), startedAt);
console.log(`dist/convoy.cjs (command line) ${sizeOf(command.files)}`);

const clientFiles = await bundleClient(join(root, "packages/client"));
writeFiles(join(root, "packages/client/dist"), clientFiles);
console.log(`packages/client/dist/ (client library, ${clientFiles.length} files) ${sizeOf(clientFiles)}`);

const builds = readdirSync(dist, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && /^[0-9a-f]{12}$/.test(entry.name) && entry.name !== id)
  .map((entry) => join(dist, entry.name))
  .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
for (const old of builds.slice(BUILDS_KEPT - 1)) rmSync(old, { recursive: true, force: true });
