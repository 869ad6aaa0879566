import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Resident memory in MiB of a process of its own: while it holds 256 MiB of buffers, and after it has let them go. */
function measured(): { held: number; after: number } {
  const program = `
    const { limitMalloc, workEnded } = await import(${JSON.stringify(new URL("./memory.ts", import.meta.url).href)});
    limitMalloc();
    const resident = () => process.memoryUsage.rss() / 2 ** 20;
    let buffers = Array.from({ length: 128 }, () => Buffer.alloc(2 << 20, 1));
    const held = resident();
    buffers = undefined;
    workEnded(60_000);
    // Buffers are freed after the collection, not in it.
    for (let wait = 0; wait < 100 && resident() > held - 200; wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    console.log(JSON.stringify({ held, after: resident() }));
  `;
  const args = ["--conditions=source", "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 }));
}

test("the kernel has the memory of long work back when it has ended", () => {
  const { held, after } = measured();
  expect(held).toBeGreaterThan(256);
  expect(after).toBeLessThan(held - 200);
});
