import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CONVOY, Daemon } from "../lab/daemon.ts";
import { type RunResult, run } from "../lab/run.ts";
import { scratchPerSuite } from "../lab/scratch.ts";
import { Names, normalise, parseTranscript, patternOf, type Step, shellWords } from "./transcript.ts";

const transcript = async (name: string) =>
  parseTranscript(await readFile(join(import.meta.dirname, "transcripts", `${name}.txt`), "utf8"));

/** The same commands in the same order against our daemon; the second file goes on where the first ends. */
describe("what Convoy v0.5.2 printed", () => {
  const scratch = scratchPerSuite();
  const names = new Names();
  let daemon: Daemon;
  let base: string;

  beforeAll(async () => {
    base = await scratch.directory("transcript");
    await mkdir(join(base, "srv"));
    await mkdir(join(base, "opt/backup"), { recursive: true });
    daemon = await Daemon.start(scratch, {
      base: join(base, "run"),
      root: join(base, "lib/convoy"),
      path: join(base, "srv/vfs"),
    });
  });

  /** The transcripts' places and where they lie in this run. */
  const places = () => [
    ["/var/lib/rancher/", `${base}/lib/`],
    ["/srv", `${base}/srv`],
    ["/opt", `${base}/opt`],
  ];
  const here = (text: string) => places().reduce((all, [from, to]) => all.replaceAll(from!, to!), names.apply(text));
  const there = (text: string) => places().reduce((all, [to, from]) => all.replaceAll(from!, to!), text);

  async function perform(words: string[]): Promise<RunResult> {
    const [program, ...args] = words;
    if (program === "write") {
      await writeFile(args[0]!, `${args[1]}\n`);
      return { code: 0, signal: null, stdout: "", stderr: "" };
    }
    if (program !== "convoy") return run(program!, args);
    // A second daemon gets a socket of its own, so that only its root can be in the way.
    const socket = args[0] === "daemon" ? join(base, "second.sock") : daemon.socket;
    return run(CONVOY, ["--socket", socket, ...args], { timeoutMs: 30_000 });
  }

  async function replay(step: Step): Promise<void> {
    let stdout = "";
    let code = 0;
    for (const words of shellWords(here(step.command))) {
      const result = await perform(words);
      stdout += result.stdout;
      code = result.code;
    }
    names.learn(step.expected.join("\n"), stdout);
    const actual = normalise(lines(there(stdout)));
    const expected = normalise(step.expected.map((line) => names.apply(line)));
    if (step.difference === undefined) expect(actual).toEqual(expected);
    else expect(`${actual.join("\n")}\n`).toMatch(patternOf(expected));
    expect(code).toBe(step.code);
  }

  describe.each(["cli-vfs", "cli-errors-vfs"])("%s", async (name) => {
    const steps = await transcript(name);
    test.each(steps.map((step, number) => [number + 1, step.command, step] as const))(
      "%i: %s",
      async (_n, _c, step) => {
        await replay(step);
      },
    );
  });
});

/** Lines of a text that ends with a newline, as all output does. */
function lines(text: string): string[] {
  if (text === "") return [];
  expect(text.endsWith("\n")).toBe(true);
  return text.slice(0, -1).split("\n");
}
