import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commandLineDocument, DOCUMENT } from "./command-line-doc.ts";

test("docs/command-line.md says what the commands' own help says", () => {
  const present = readFileSync(DOCUMENT, "utf8");
  expect(present, "run: sh scripts/run.sh node --conditions=source scripts/command-line-doc.ts").toBe(
    commandLineDocument(present),
  );
});
