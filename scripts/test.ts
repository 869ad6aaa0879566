import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sweep } from "../test/lab/sweep.ts";

/**
 * `npm test`: the checks of `npm run check`, then every test. With arguments (`npm test -- test/system/road`) only the
 * tests of files whose path contains one of them, and no checks. Exits 1 if anything failed and, with CI=true, also if
 * a test was skipped: a component that is missing there is a hole in the pipeline, not a reason to pass.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const filters = process.argv.slice(2);
const inCi = process.env["CI"] === "true" || process.env["CI"] === "1";

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  success: boolean;
  testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[];
}

function node(args: string[]): boolean {
  const { status, signal, error } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.error(`test: ${args[0]}: ${error.message}`);
  if (signal !== null) console.error(`test: ${args[0]} was ended by ${signal}`);
  return status === 0;
}

function runTests(): { report: Report; ended: boolean } {
  const directory = mkdtempSync(join(tmpdir(), "convoy-test-report-"));
  try {
    const file = join(directory, "report.json");
    const ended = node([
      join(root, "node_modules/vitest/vitest.mjs"),
      ...["run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`, ...filters],
    ]);
    if (!existsSync(file)) throw new Error("the tests ended without a report");
    return { report: JSON.parse(readFileSync(file, "utf8")) as Report, ended };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.getuid?.() !== 0) {
  console.log("test: not root: tests that need Docker, mounts or foreign owners are skipped and say so");
}
await sweep(join(root, ".test-lab"));
const checked = filters.length > 0 || node(["scripts/check.ts"]);
const { report, ended } = runTests();
await sweep(join(root, ".test-lab"));

const skipped = report.numPendingTests + report.numTodoTests;
for (const { name, assertionResults } of report.testResults) {
  for (const { fullName, status } of assertionResults) {
    if (status !== "passed" && status !== "failed")
      console.log(`test: skipped: ${name.replace(root, "")}: ${fullName}`);
  }
}
if (!checked) console.log("test: the checks before the tests FAILED (see above)");
if (inCi && skipped > 0) console.log("test: in CI no test may be skipped");
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped} skipped`);
if (!checked || !ended || !report.success || (inCi && skipped > 0)) process.exitCode = 1;
