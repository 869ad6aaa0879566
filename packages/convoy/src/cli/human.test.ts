import { expect, test } from "vitest";
import { humanAge, humanSize, shellQuote, shellWord } from "./human.ts";

test.each([
  ["0", "-"],
  [undefined, "-"],
  ["512", "512 B"],
  ["1024", "1 KiB"],
  ["1610612736", "1.5 GiB"],
  ["107374182400", "100 GiB"],
  ["9007199254740991", "8 PiB"],
  ["what", "what"],
])("%s bytes: %s", (bytes, shown) => {
  expect(humanSize(bytes)).toBe(shown);
});

const THEN = "Fri Nov 20 07:05:25 +0100 2026";
const at = (seconds: number) => Date.parse("2026-11-20T06:05:25Z") + seconds * 1000;

test.each([
  [0, "0 s"],
  [59, "59 s"],
  [60, "1 min"],
  [7199, "1 h"],
  [86_400 * 3, "3 d"],
  [86_400 * 800, "2 y"],
  [-1, "in the future"],
])("after %s seconds: %s", (seconds, shown) => {
  expect(humanAge(THEN, at(seconds))).toBe(shown);
});

test("times of ISO 8601, as newer fields have them", () => {
  expect(humanAge("2026-11-20T06:05:25.123Z", at(3600 * 5))).toBe("4 h");
});

test("a time of unknown form is shown as it is", () => {
  expect(humanAge("yesterday")).toBe("yesterday");
  expect(humanAge(undefined)).toBe("-");
});

test("words for the shell", () => {
  expect(shellQuote("a'b&c")).toBe("'a'\\''b&c'");
  expect(shellWord("/run/convoy.sock")).toBe("/run/convoy.sock");
  expect(shellWord("/run/my sock")).toBe("'/run/my sock'");
});
