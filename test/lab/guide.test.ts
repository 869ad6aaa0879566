import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { guideBlocks, guideScript } from "./guide.ts";
import { run } from "./run.ts";
import { scratchPerTest } from "./scratch.ts";

describe("running the commands of a page", () => {
  const scratch = scratchPerTest();
  const page = [
    "# Page",
    ...["<!-- test: one -->", "```sh", "WORD=hello", 'echo "$WORD \\', '  world"', "# prints: hello world", "```"],
    ...["```sh", "exit 7", "```", "<!-- test: two -->", "", "```", "echo other", "```"],
    ...["<!-- test: one -->", "```sh", 'echo "again $WORD"', "# prints: again hello", "```"],
  ].join("\n");

  async function perform(name: string, text = page) {
    const output = join(await scratch.directory("guide"), "output");
    return run("sh", ["-c", guideScript(guideBlocks(text, name))], { env: { GUIDE_OUTPUT: output } });
  }

  test("the marked blocks run in one session, the others do not", async () => {
    expect(await perform("one")).toMatchObject({ code: 0, stdout: "hello world\nagain hello\n" });
    expect(await perform("two")).toMatchObject({ code: 0, stdout: "other\n" });
  });

  test("a command that prints something else, or fails, fails the page", async () => {
    expect((await perform("one", page.replace("prints: again hello", "prints: good bye"))).code).not.toBe(0);
    expect((await perform("one", page.replace("WORD=hello", "false"))).code).not.toBe(0);
    expect((await perform("one", page.replace('echo "again $WORD"', 'echo "again $WORD"; false'))).code).not.toBe(0);
  });
});
