import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mountOf, readMounts } from "../packages/convoy/src/host/mountinfo.ts";
import { sweep } from "../test/lab/sweep.ts";
import { command, scale } from "./cases/command.ts";
import { memory } from "./cases/memory.ts";
import { duringBackup, requests } from "./cases/requests.ts";
import { reflink, road } from "./cases/road.ts";
import type { Case, Row } from "./measure.ts";

/**
 * `npm run bench` (as root): measures what the project promises about speed and memory, always as a ratio to something
 * measured in the same run or as a value with a limit, and writes bench/RESULTS.md. `npm run bench -- command scale`
 * measures only the named cases and writes nothing.
 */
const CASES: Case[] = [command, scale, requests, duringBackup, memory, reflink, road];
const root = fileURLToPath(new URL("..", import.meta.url));

async function machine(): Promise<string[]> {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  const mount = mountOf("/tmp", await readMounts());
  return [
    `* ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `* ${system}, kernel ${release()}, Node.js ${process.version}; files on ${mount?.type ?? "an unknown file system"}`,
  ];
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ what, ours, yardstick, result, limit, ok }) =>
      `| ${what.replaceAll("|", "\\|")} | ${ours} | ${yardstick} | ${result} | ${limit} | ${ok ? "yes" : "**no**"} |`,
  );
  return ["| what | ours | yardstick | result | limit | ok |", "|---|---|---|---|---|---|", ...lines].join("\n");
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !CASES.some((known) => known.name === name));
if (unknown.length > 0) {
  console.error(`bench: no case ${unknown.join(", ")}; there are: ${CASES.map((known) => known.name).join(", ")}`);
  process.exit(1);
}
await sweep(join(root, ".test-lab"));
// The bundle that users run is measured, so it has to be that of this source.
const built = spawnSync(process.execPath, ["scripts/build.ts"], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);

const rows: Row[] = [];
for (const measured of CASES) {
  if (names.length > 0 && !names.includes(measured.name)) continue;
  console.log(`bench: ${measured.name} ...`);
  const found = await measured.run();
  for (const { what, ours, yardstick, result, limit, ok } of found) {
    const against = yardstick === "" ? "" : ` against ${yardstick}`;
    console.log(`  ${ok ? "ok  " : "MISS"} ${what}: ${ours}${against}: ${result} (${limit})`);
  }
  rows.push(...found);
}
if (names.length === 0) {
  const text = [
    "# Measured",
    "",
    "Written by `npm run bench` (as root). Ratios are of medians measured in turn in the same run; the data and every",
    "yardstick are described in `docs/development.md`.",
    "",
    ...(await machine()),
    `* measured on ${new Date().toISOString().slice(0, 10)}`,
    "",
    table(rows),
    "",
  ].join("\n");
  writeFileSync(new URL("RESULTS.md", import.meta.url), text);
  console.log("bench: written to bench/RESULTS.md");
}
if (rows.some(({ ok }) => !ok)) process.exitCode = 1;
