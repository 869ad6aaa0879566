import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `npm run check`: everything that can be said about the code without running it. Runs all steps, also after a failed
 * one, and exits 1 if any failed. `npm test` runs it first.
 */
const root = fileURLToPath(new URL("..", import.meta.url));

interface Step {
  what: string;
  run(): boolean;
}

const steps: Step[] = [
  { what: "types", run: () => command("tsc", ["-p", "."]) },
  // Import boundaries are among the linter's rules (biome.json).
  {
    what: "lint, format, import boundaries",
    run: () => command("biome", ["ci", "--colors=off", "--error-on-warnings", "."]),
  },
  { what: "lock file without download addresses", run: checkLockFile },
  { what: "bundles", run: () => command(process.execPath, ["scripts/build.ts"]) },
];

function command(program: string, args: string[]): boolean {
  const local = join(root, "node_modules/.bin", program);
  const { status, error } = spawnSync(existsSync(local) ? local : program, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.error(`${program}: ${error.message}`);
  return status === 0;
}

/** A lock file with addresses would send everybody to the registry of the machine on which it was written. */
function checkLockFile(): boolean {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string }>;
  };
  const bad = Object.entries(lock.packages).filter(([, entry]) => /^[a-z+]+:\/\//.test(entry.resolved ?? ""));
  for (const [name, { resolved }] of bad) console.error(`package-lock.json: ${name} names ${resolved}`);
  return bad.length === 0;
}

const failed: string[] = [];
for (const { what, run } of steps) {
  console.log(`check: ${what}`);
  if (!run()) failed.push(what);
}
if (failed.length > 0) {
  console.error(`check: FAILED: ${failed.join("; ")}`);
  process.exitCode = 1;
}
