import { readFileSync } from "node:fs";
import * as requests from "node-convoy/wire";
import { ERROR_CODES, type Schema } from "node-convoy/wire";
import { expect, test } from "vitest";

const page = readFileSync(new URL("../../../../../docs/rest-api.md", import.meta.url), "utf8");

/** Ends the daemon's start, so no request ever sees it. */
const NOT_IN_ANSWERS = ["ALREADY_RUNNING"];

const codes = Object.entries(ERROR_CODES).filter(([code]) => !NOT_IN_ANSWERS.includes(code));

test.each(codes)("docs/rest-api.md lists %s with status %d", (code, status) => {
  const row = page.split("\n").find((line) => line.startsWith(`| ${status} |`));
  expect(row).toContain(`\`${code}\``);
});

const fields = Object.values(requests as Record<string, unknown>)
  .filter((value): value is Schema => typeof value === "object" && value !== null && "properties" in value)
  .flatMap((schema) => Object.keys(schema.properties ?? {}));

test.each([...new Set(fields)])("docs/rest-api.md explains the field %s", (field) => {
  expect(page).toMatch(new RegExp(`\`${field}(=1)?\``));
});
