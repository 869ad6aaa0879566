import { closeSync, openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ConvoyError } from "../../errors.ts";
import { serveTasks } from "./serve.ts";

/** The worker program of worker-pool.test.ts. */
export type TestTasks = {
  sum: { input: { bytes: Uint8Array; step: number }; output: number; progress: number };
  reverse: { input: Uint8Array; output: Uint8Array<ArrayBuffer>; progress: never };
  fail: { input: "convoy" | "system" | "string"; output: never; progress: never };
  crash: { input: "exit" | "throw-later"; output: never; progress: never };
  spin: { input: null; output: never; progress: "running" };
  callsOfThisThread: { input: null; output: number; progress: never };
};

let calls = 0;

serveTasks<TestTasks>({
  sum({ bytes, step }, context) {
    let sum = 0;
    for (const [index, byte] of bytes.entries()) {
      sum += byte;
      if ((index + 1) % step === 0) context.progress(index + 1);
    }
    return sum;
  },
  reverse(bytes, context) {
    const reversed = Uint8Array.from(bytes).reverse();
    context.transfer.push(reversed.buffer);
    return reversed;
  },
  fail(kind) {
    if (kind === "convoy") {
      throw new ConvoyError("NO_SPACE", "the disk is full", { hint: "Free some space.", cause: new Error("why") });
    }
    if (kind === "string") throw "just text";
    closeSync(openSync("/nonexistent/file", "r"));
    throw new Error("not reached");
  },
  async crash(kind) {
    if (kind === "exit") process.exit(7);
    if (kind === "throw-later") {
      setImmediate(() => {
        throw new Error("out of the blue");
      });
    }
    await delay(60_000);
    throw new Error("not reached");
  },
  spin(_, context) {
    context.progress("running");
    for (;;) context.throwIfCancelled();
  },
  callsOfThisThread() {
    return ++calls;
  },
});
