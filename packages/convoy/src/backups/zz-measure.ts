import { mkdir } from "node:fs/promises";
import { snapshotTree } from "../host/tree/snapshot.ts";
import { silentLog } from "../host/log.ts";
import { openStore } from "../stores/open.ts";
import { createBackupEngine } from "./create-engine.ts";
const memory = { takenOver: false, remembered: () => [], remember: async () => undefined };
const context = { signal: new AbortController().signal, log: silentLog(), progress: () => undefined };
const engine = createBackupEngine({ openStore: (u, endpoint) => openStore(u, { endpoint, memory, log: silentLog() }), identity: { id: "a".repeat(32), bootId: "b", host: "h" }, log: silentLog() });
await mkdir("store"); await mkdir("snap/tree", { recursive: true });
let t = performance.now();
await snapshotTree({ source: `${process.cwd()}/vol`, target: `${process.cwd()}/snap/tree`, manifest: `${process.cwd()}/snap/manifest` }, context);
console.log("snapshot", performance.now() - t);
let late = 0, last = performance.now();
const timer = setInterval(() => { const now = performance.now(); late = Math.max(late, now - last - 5); last = now; }, 5);
for (let i = 0; i < 2; i++) {
t = performance.now();
const { url } = await engine.create({ url: `vfs://${process.cwd()}/store`, endpoint: "", initStore: true, source: { kind: "tree", directory: `${process.cwd()}/snap/tree`, manifest: `${process.cwd()}/snap/manifest`, close: async () => undefined }, subject: { volume: { name: "vol", id: "1".repeat(32), driver: "vfs", size: 0, createdTime: "t" }, snapshot: { name: "s", id: "2".repeat(32), createdTime: "t" } } }, context);
console.log("backup", performance.now() - t, "longest stall of the loop", late); late = 0;
await mkdir(`out${i}`);
t = performance.now();
const r = await engine.openRestore({ url, endpoint: "" }, context);
await r.fill({ kind: "tree", directory: `${process.cwd()}/out${i}`, reserveBytes: 0 }, context);
await r.close();
console.log("restore", performance.now() - t, "stall", late, "maxrss MB", process.resourceUsage().maxRSS / 1024); late = 0;
}
clearInterval(timer);
