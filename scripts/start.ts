import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/**
 * `npm start`: runs the daemon with the vfs driver in `.convoy/` of the checkout, as root or not, and says what to type
 * next. More flags for `convoy daemon` may follow: `npm start -- --log-level debug`.
 */
const checkout = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const home = join(checkout, ".convoy");
const socket = join(home, "convoy.sock");
const backups = join(home, "backups");
const convoy = `${shellWord(join(checkout, "bin/convoy"))} --socket ${shellWord(socket)}`;

/** Longest wait for the daemon's first answer. */
const READY_MS = 120_000;
/** Ctrl-C reaches this program twice, from the terminal and from npm: both are one wish. */
const SAME_WISH_MS = 1_000;

if (await answers()) {
  console.error(`Convoy runs already; its socket is ${socket}\n\n${nextSteps()}`);
  process.exitCode = 1;
} else {
  mkdirSync(backups, { recursive: true, mode: 0o700 });
  build();
  process.exitCode = await runDaemon(process.argv.slice(2));
}

/** The bundle starts faster than the sources; bin/convoy runs those when there is no bundle. */
function build(): void {
  const { status } = spawnSync(process.execPath, [join(checkout, "scripts/build.ts")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) console.error("convoy: building the bundle failed; running from the sources instead");
}

async function runDaemon(extraFlags: string[]): Promise<number> {
  const daemonArguments = [
    ...["--socket", socket, "daemon", "--root", join(home, "root")],
    ...["--drivers", "vfs", "--driver-opts", `vfs.path=${join(home, "volumes")}`, ...extraFlags],
  ];
  // In a session of its own, so that a signal of the terminal reaches it through this program only.
  const daemon = spawn(join(checkout, "bin/convoy"), daemonArguments, { stdio: "inherit", detached: true });
  const ended = new Promise<number>((resolve, reject) => {
    daemon.on("error", reject);
    daemon.on("exit", (code) => resolve(code ?? 1));
  });
  let lastSignal = Number.NEGATIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (performance.now() - lastSignal < SAME_WISH_MS) return;
      lastSignal = performance.now();
      // A terminal that is closed hangs up; for the daemon that signal only means a new log file.
      daemon.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
    });
  }
  await Promise.race([ended, readiness()]);
  if (daemon.exitCode === null)
    console.log(`\nConvoy is running; its socket is ${socket}\n\n${nextSteps()}\nStop it with Ctrl-C.\n`);
  return ended;
}

async function readiness(): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline && !(await answers())) await delay(50);
}

/** Whether a daemon answers at the socket. */
function answers(): Promise<boolean> {
  if (!existsSync(socket)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const sent = request({ socketPath: socket, path: "/healthz", timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve(false));
    sent.end();
  });
}

function nextSteps(): string {
  return `Type next, in another terminal:
  ${convoy} create vol1
  ${convoy} snapshot create vol1 --name snap1
  ${convoy} backup create snap1 --dest ${shellWord(`vfs://${backups}`)}

${dockerSteps()}`;
}

/** A volume's files belong to the users of the containers, and only root can copy those. */
function dockerSteps(): string {
  if (process.geteuid?.() !== 0) {
    return `To use the volumes in Docker on this machine, run \`npm start\` as root: a volume's files belong to the
containers' users then, and only root can copy them.
`;
  }
  return `To use the volumes in Docker on this machine, register the daemon once:
  ${convoy} docker install
  docker run --rm -it -v vol1:/data --volume-driver=convoy busybox
`;
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
