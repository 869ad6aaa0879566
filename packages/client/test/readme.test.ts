import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { bundleClient } from "../../../scripts/build/client.ts";
import { writeFiles } from "../../../scripts/build/files.ts";
import { FakeDaemon } from "./fake-daemon.ts";
import { referenceDaemon } from "./reference-daemon.ts";

const directory = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${directory}README.md`, "utf8");

/** The README's examples build on each other: they run as one program, with the published CommonJS form. */
test("every example of the README runs, and every method has one", async () => {
  writeFiles(`${directory}dist`, await bundleClient(directory));
  const load = createRequire(import.meta.url);
  const Convoy = load(`${directory}dist/index.cjs`) as new (socket?: string) => object;
  const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  const [first = "", ...rest] = examples;
  expect(first).toContain('require("node-convoy")');

  const daemon = await FakeDaemon.start(referenceDaemon());
  const printed: unknown[][] = [];
  const print = (...values: unknown[]) => printed.push(values);
  const consoleOfExamples = { log: vi.fn(print), error: vi.fn(print) };
  try {
    const source = [first.replace("new Convoy()", `new Convoy(${JSON.stringify(daemon.socket)})`), ...rest].join("\n");
    // The examples are our own text; running them is the point.
    const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
    const program = new AsyncFunction("require", "console", source) as unknown as (
      require: (name: string) => unknown,
      console: object,
    ) => Promise<void>;
    await program(() => Convoy, consoleOfExamples);
  } finally {
    await daemon.stop();
  }
  expect(consoleOfExamples.error).not.toHaveBeenCalled();
  expect(printed).toContainEqual(["Volume not found.", 404, "UNKNOWN"]);
  expect(printed).toContainEqual(["vol1", "vfs", "not mounted"]);
  expect(printed).toContainEqual(["/srv/vfs/vol1"]);
  expect(printed).toContainEqual([["vol1"]]);

  const methods = Object.keys(new Convoy("/nowhere")).filter((name) => name !== "socketPath");
  expect(methods.length).toBe(16);
  for (const method of [...methods, "request"]) {
    expect(
      rest.some((example) => example.includes(`convoy.${method}(`)),
      method,
    ).toBe(true);
  }
});
