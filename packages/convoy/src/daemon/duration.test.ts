import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

test.each([
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["90s", 90_000],
  ["250ms", 250],
  ["0", 0],
  ["-1m", -60_000],
])("%s is %d ms", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(["", "banana", "5", "5 m", "m", "1h30", "1..5h", "5m\n"])("'%s' is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
