import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findProgram } from "./apt.ts";
import { keep, type Running } from "./keeper.ts";

const execute = promisify(execFile);

function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} not found`);
  return path;
}

/** Every client command of Ceph waits for ever when its server is not up: each gets a limit. */
async function run(name: string, args: string[], seconds = 30): Promise<string> {
  return (await execute(program(name), args, { timeout: seconds * 1000, killSignal: "SIGKILL" })).stdout;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A monitor with one pool copy, an OSD that keeps everything in memory, and the gateway. No authentication inside. */
function configuration(directory: string, fsid: string, monitorPort: number, port: number): string {
  return `[global]
fsid = ${fsid}
mon_initial_members = a
mon_host = v1:127.0.0.1:${monitorPort}
ms_bind_ipv6 = false
ms_bind_msgr2 = false
public_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = ${directory}/run
admin_socket = ${directory}/run/$name.asok
pid_file = ${directory}/run/$name.pid
log_file = ${directory}/log/$name.log
crash_dir = ${directory}/run
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
mon_data = ${directory}/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 1
osd_data = ${directory}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_max_object_name_len = 256
osd_max_object_namespace_len = 64
[client.rgw]
rgw_data = ${directory}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_thread_pool_size = 16
rgw_run_sync_thread = false
`;
}

/** Daemons run in the foreground as children, so that ending them needs no pid files; they end with the keeper. */
function daemon(directory: string, name: string, args: string[]): ChildProcess {
  const output = openSync(join(directory, "log", `${name}.out`), "a");
  return spawn("setpriv", ["--pdeathsig", "KILL", program(name), ...args], { stdio: ["ignore", output, output] });
}

/** Repeats until it works: the first command after a start often comes before the client has the monitor's map. */
async function retry<T>(what: string, seconds: number, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > until) throw new Error(`${what} failed for ${seconds} s`, { cause: error });
      await sleep(200);
    }
  }
}

async function start(directory: string): Promise<Running> {
  for (const name of ["mon", "osd", "run", "log", "rgw"]) await mkdir(join(directory, name));
  const [fsid, monitorPort, port] = [randomUUID(), await freePort(), await freePort()];
  const file = join(directory, "ceph.conf");
  await writeFile(file, configuration(directory, fsid, monitorPort, port));
  const config = ["-c", file];
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  };
  try {
    const map = join(directory, "monmap");
    await run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", `[v1:127.0.0.1:${monitorPort}]`, map]);
    await run("ceph-mon", [...config, "--mkfs", "-i", "a", "--monmap", map]);
    children.push(daemon(directory, "ceph-mon", [...config, "-i", "a", "-f"]));
    const osd = randomUUID();
    await retry("ceph osd new", 60, () => run("ceph", [...config, "osd", "new", osd], 20));
    await retry("ceph-osd --mkfs", 60, () => run("ceph-osd", [...config, "-i", "0", "--mkfs", "--osd-uuid", osd]));
    await retry("ceph-osd", 60, async () => {
      const child = daemon(directory, "ceph-osd", [...config, "-i", "0", "-f"]);
      // A start that comes too early ends within a second or two; one that is up stays.
      const up = await Promise.race([once(child, "exit").then(() => false), osdUp(config).catch(() => false)]);
      if (!up) throw new Error(`ceph-osd ended with ${child.exitCode}`);
      children.push(child);
    });
    children.push(daemon(directory, "radosgw", [...config, "-n", "client.rgw", "-f"]));
    await retry("radosgw", 60, () => fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) }));
    const user = ["--uid=t", "--display-name=t", "--access-key=AKTEST", "--secret-key=SKTEST"];
    await run("radosgw-admin", [...config, "user", "create", ...user], 60);
    return { facts: { port }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** True as soon as the monitor counts the OSD as up. */
async function osdUp(config: string[]): Promise<boolean> {
  await retry("waiting for the OSD", 40, async () => {
    const stat = JSON.parse(await run("ceph", [...config, "osd", "stat", "-f", "json"], 20));
    if (stat.num_up_osds !== 1) throw new Error(JSON.stringify(stat));
  });
  return true;
}

await keep(start);
