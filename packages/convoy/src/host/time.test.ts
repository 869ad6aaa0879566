import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatTime, parseTime } from "./time.ts";

describe("times", () => {
  test("are written as the records of v0.5.2 have them", () => {
    expect(formatTime(new Date("2026-11-20T06:52:25.999Z"))).toBe("Fri Nov 20 06:52:25 +0000 2026");
    expect(formatTime(new Date("2024-02-03T00:00:00Z"))).toBe("Sat Feb 03 00:00:00 +0000 2024");
  });

  test.each([
    ["Fri Nov 20 06:52:25 +0000 2026", "2026-11-20T06:52:25.000Z"],
    ["Fri Nov 20 06:52:25 +0530 2026", "2026-11-20T01:22:25.000Z"],
    ["Fri Nov 20 23:52:25 -0200 2026", "2026-11-21T01:52:25.000Z"],
    ["Thu Feb 29 00:00:00 +0000 2024", "2024-02-29T00:00:00.000Z"],
    ["Tue Feb  3 00:00:00 +0000 2026", "2026-02-03T00:00:00.000Z"],
  ])("%s is read", (text, expected) => {
    expect(parseTime(text)?.toISOString()).toBe(expected);
  });

  test.each([
    "",
    "2026-11-20T06:52:25Z",
    "Fri Nox 20 06:52:25 +0000 2026",
    "Fri Feb 30 06:52:25 +0000 2026",
    "Fri Nov 00 06:52:25 +0000 2026",
    "Fri Nov 20 24:00:00 +0000 2026",
    "Fri Nov 20 06:52:25 UTC 2026",
    " Fri Nov 20 06:52:25 +0000 2026",
  ])("'%s' is not a time", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test("what is written is read back to the second", () => {
    const dates = fc.date({
      min: new Date("1000-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseTime(formatTime(date))?.getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
      }),
    );
  });

  test("a date that is none is refused", () => {
    expect(() => formatTime(new Date(Number.NaN))).toThrow(RangeError);
  });
});
