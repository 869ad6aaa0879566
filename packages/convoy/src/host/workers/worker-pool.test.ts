import { readdirSync, readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { until } from "../../../../../test/lab/run.ts";
import { ConvoyError } from "../../errors.ts";
import type { TestTasks } from "./worker-pool.test-program.ts";
import { WorkerPool } from "./worker-pool.ts";
import { workerUrl } from "./worker-url.ts";

const url = new URL("./worker-pool.test-program.ts", import.meta.url);
const pools: WorkerPool<TestTasks>[] = [];

function pool(maxThreads = 1): WorkerPool<TestTasks> {
  const made = new WorkerPool<TestTasks>({ name: "test", url, maxThreads });
  pools.push(made);
  return made;
}

afterAll(() => Promise.all(pools.map((made) => made.close())));

const { signal } = new AbortController();

test("a task gives its result and reports progress on the way", async () => {
  const reports: number[] = [];
  const bytes = Uint8Array.from({ length: 10 }, (_, index) => index);
  const sum = await pool().run("sum", { bytes, step: 4 }, { signal, progress: (done) => reports.push(done) });
  expect(sum).toBe(45);
  expect(reports).toEqual([4, 8]);
});

test("buffers can be moved to the worker and back", async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const reversed = await pool().run("reverse", bytes, { signal, transfer: [bytes.buffer] });
  expect([...reversed]).toEqual([3, 2, 1]);
  expect(bytes.byteLength).toBe(0);
});

test("a ConvoyError keeps code, message, hint and cause across the thread border", async () => {
  const error = await pool()
    .run("fail", "convoy", { signal })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConvoyError);
  expect(error).toMatchObject({ code: "NO_SPACE", message: "the disk is full", hint: "Free some space." });
  expect((error as ConvoyError).cause).toMatchObject({ message: "why" });
});

test("an error of the system keeps its errno fields", async () => {
  const error = await pool()
    .run("fail", "system", { signal })
    .catch((thrown: unknown) => thrown);
  expect(error).not.toBeInstanceOf(ConvoyError);
  expect(error).toMatchObject({ code: "ENOENT", syscall: "open", path: "/nonexistent/file" });
});

test("a thrown text is an error with that text", async () => {
  await expect(pool().run("fail", "string", { signal })).rejects.toThrow("just text");
});

test("an abort stops a running task, and the thread takes the next one", async () => {
  const workers = pool();
  const controller = new AbortController();
  const running = workers.run("spin", null, { signal: controller.signal, progress: () => controller.abort() });
  await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await workers.run("callsOfThisThread", null, { signal })).toBe(1);
});

test("an abort with a reason of ours gives that reason", async () => {
  const controller = new AbortController();
  const reason = new ConvoyError("SHUTTING_DOWN", "The daemon is stopping");
  const running = pool().run("spin", null, { signal: controller.signal, progress: () => controller.abort(reason) });
  await expect(running).rejects.toBe(reason);
});

test("a task that waits for a thread is cancelled at once and never starts", async () => {
  const workers = pool(1);
  const first = new AbortController();
  const second = new AbortController();
  const running = workers.run("spin", null, { signal: first.signal });
  const waiting = workers.run("callsOfThisThread", null, { signal: second.signal });
  second.abort();
  await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
  first.abort();
  await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await workers.run("callsOfThisThread", null, { signal })).toBe(1);
});

test("an aborted signal starts nothing", async () => {
  await expect(pool().run("spin", null, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "CANCELLED" });
});

test.each(["exit", "throw-later"] as const)("a crash (%s) is an error of its task only", async (kind) => {
  const workers = pool(1);
  const crashed = workers.run("crash", kind, { signal });
  const next = workers.run("callsOfThisThread", null, { signal });
  await expect(crashed).rejects.toMatchObject({ code: "INTERNAL", message: expect.stringContaining("'test' ended") });
  expect(await next).toBe(1);
});

test("a program that cannot be started is an error of the task", async () => {
  const broken = new WorkerPool<TestTasks>({ name: "broken", url: new URL("./missing.ts", url), maxThreads: 1 });
  await expect(broken.run("spin", null, { signal })).rejects.toMatchObject({ code: "INTERNAL" });
});

test("tasks run in as many threads as allowed, and threads are used again", async () => {
  const workers = pool(2);
  const one = new AbortController();
  const two = new AbortController();
  const both = await new Promise<Promise<unknown>[]>((resolve) => {
    let started = 0;
    const tasks: Promise<unknown>[] = [];
    for (const { signal } of [one, two]) {
      const progress = () => {
        if (++started === 2) resolve(tasks);
      };
      tasks.push(workers.run("spin", null, { signal, progress }));
    }
  });
  one.abort();
  two.abort();
  expect(await Promise.allSettled(both)).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  expect(await workers.run("callsOfThisThread", null, { signal })).toBe(1);
  expect(await workers.run("callsOfThisThread", null, { signal })).toBe(2);
});

/** Names of this process's threads as the system shows them. */
function threadNames(): string[] {
  return readdirSync("/proc/self/task").map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim();
    } catch {
      return "ended";
    }
  });
}

test("an idle thread ends, and the next task gets a new one", async () => {
  const workers = new WorkerPool<TestTasks>({ name: "brief", url, maxThreads: 1, idleMs: 1 });
  pools.push(workers);
  const controller = new AbortController();
  const progress = () => {
    expect(threadNames()).toContain("brief");
    controller.abort();
  };
  const running = workers.run("spin", null, { signal: controller.signal, progress });
  await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  await until("the thread to end", () => !threadNames().includes("brief"));
  expect(await workers.run("callsOfThisThread", null, { signal })).toBe(1);
});

test("a worker's program is found from source and beside a bundle", () => {
  expect(workerUrl("tree", "file:///c/packages/convoy/src/host/tree/snapshot.ts").pathname).toBe(
    "/c/packages/convoy/src/host/tree/tree.worker.ts",
  );
  expect(workerUrl("tree", "file:///c/dist/daemon.js").pathname).toBe("/c/dist/workers/tree.js");
});
