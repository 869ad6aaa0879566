import { describe, expect, test } from "vitest";
import { skipFor } from "./apt.ts";
import { Engine, needDocker } from "./docker.ts";
import { scratchPerSuite } from "./scratch.ts";

describe.skipIf(skipFor(await needDocker()))("the private Docker Engine", () => {
  const scratch = scratchPerSuite();

  test("runs a container of the lab's image", async () => {
    const engine = await Engine.start(scratch);
    expect(await engine.run([], "echo hello from inside")).toBe("hello from inside");
  });
});
