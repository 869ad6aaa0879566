import { execFile } from "node:child_process";
import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Real programs that tests use, with the Debian packages that bring them. A component is there when each of its
 * programs is found; what is found is used as it is, wherever it came from.
 */
const COMPONENTS = {
  radosgw: {
    programs: ["radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool"],
    packages: ["radosgw", "ceph-mon", "ceph-osd"],
  },
  docker: { programs: ["dockerd", "docker", "containerd", "runc", "iptables"], packages: ["docker.io", "iptables"] },
  busybox: { programs: ["busybox"], packages: ["busybox-static"] },
  xfs: { programs: ["mkfs.xfs"], packages: ["xfsprogs"] },
  btrfs: { programs: ["mkfs.btrfs"], packages: ["btrfs-progs"] },
  ext4: { programs: ["mkfs.ext4"], packages: ["e2fsprogs"] },
  acl: { programs: ["setfacl", "getfacl"], packages: ["acl"] },
  attr: { programs: ["setfattr", "getfattr"], packages: ["attr"] },
  strace: { programs: ["strace"], packages: ["strace"] },
} as const satisfies Record<string, { programs: readonly string[]; packages: readonly string[] }>;

export type Component = keyof typeof COMPONENTS;

/** Administrators' programs lie in directories that are not on every PATH. */
const SEARCH = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Absolute path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const directory of SEARCH) {
    if (directory === "") continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not here: look in the next directory.
    }
  }
  return undefined;
}

function lacking(component: Component): string[] {
  return COMPONENTS[component].programs.filter((program) => findProgram(program) === undefined);
}

/** One package manager at a time, however many test workers find something missing. */
function locked(args: string[], seconds: number): Promise<unknown> {
  return run("flock", ["-w", String(seconds), join(tmpdir(), "convoy-lab-apt.lock"), ...args], {
    timeout: (seconds + 600) * 1000,
    maxBuffer: 64 << 20,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}

/** Package lists are fetched at most once an hour. */
async function updateLists(): Promise<void> {
  const stamp = join(tmpdir(), "convoy-lab-apt.stamp");
  const age = Date.now() - (statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (age < 3_600_000) return;
  await locked(["apt-get", "update", "-q"], 600);
  writeFileSync(stamp, "");
}

async function install(component: Component): Promise<void> {
  const packages = COMPONENTS[component].packages;
  process.stderr.write(
    `lab: installing ${packages.join(" ")} for the tests with ${component} (CONVOY_LAB_INSTALL=0 turns this off)\n`,
  );
  await updateLists();
  // --no-remove: Debian's docker.io would otherwise push out a user's docker-ce with its containers.
  await locked(["apt-get", "install", "-q", "-y", "--no-remove", "--no-install-recommends", ...packages], 600);
}

/**
 * Makes sure that the components are there, installing what is missing when run as root.
 * @returns undefined if all are there, otherwise why not, in words for the one who runs the tests.
 */
export async function need(...components: Component[]): Promise<string | undefined> {
  for (const component of components) {
    let missing = lacking(component);
    if (missing.length === 0) continue;
    const what = `${component} is needed (${missing.join(", ")} not found; Debian packages: ${COMPONENTS[component].packages.join(" ")})`;
    if (process.env["CONVOY_LAB_INSTALL"] === "0") return `${what}, and CONVOY_LAB_INSTALL=0 forbids installing it`;
    if (process.getuid?.() !== 0) return `${what}, and only root can install it`;
    if (findProgram("apt-get") === undefined) return `${what}, and there is no apt-get to install it with`;
    try {
      await install(component);
    } catch (error) {
      return `${what}, and installing it failed: ${String((error as { stderr?: unknown }).stderr ?? error).trim()}`;
    }
    missing = lacking(component);
    if (missing.length > 0) return `${what}; installed, but still without ${missing.join(", ")}`;
  }
  return undefined;
}

/**
 * For `describe.skipIf(await requireOrSkip("docker"))`: false when the components are there; true, with the reason
 * printed, when the suite has to be skipped. In CI (CI=true) a missing component is a failure instead.
 */
export async function requireOrSkip(...components: Component[]): Promise<boolean> {
  return skipFor(await need(...components));
}

/** The same for a reason found in another way (a kernel without a file system, say); undefined means all is well. */
export function skipFor(reason: string | undefined): boolean {
  if (reason === undefined) return false;
  if (process.env["CI"] === "true" || process.env["CI"] === "1") throw new Error(`lab: ${reason}`);
  process.stderr.write(`lab: SKIPPED: ${reason}\n`);
  return true;
}
