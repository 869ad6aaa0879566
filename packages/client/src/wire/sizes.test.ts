import { assert, bigInt, constantFrom, integer, oneof, property, string, stringMatching, tuple } from "fast-check";
import { expect, test } from "vitest";
import { parseSize } from "./sizes.ts";

const UNITS = { "": 0, k: 10, m: 20, g: 30, t: 40 } as const;
const unit = constantFrom("", "k", "m", "g", "t", "K", "M", "G", "T");

test("a whole number and a unit are the number times a power of 1024", () => {
  assert(
    property(integer({ min: 0, max: 2 ** 13 - 1 }), unit, (count, letter) => {
      const shift = UNITS[letter.toLowerCase() as keyof typeof UNITS];
      expect(parseSize(`${count}${letter}`)).toBe(count * 2 ** shift);
    }),
  );
});

test("whatever is accepted is a whole number that JSON carries exactly", () => {
  assert(
    property(oneof(string(), stringMatching(/^[0-9]{1,25}[kmgtKMGTpP]?$/)), (text) => {
      const bytes = parseSize(text);
      if (bytes !== undefined) {
        expect(Number.isSafeInteger(bytes) && bytes >= 0).toBe(true);
        expect(text).toMatch(/^[0-9]*[kmgt]?$/i);
      }
    }),
  );
});

test("DEFECT products beyond 64 bits wrapped around", () => {
  assert(
    property(tuple(bigInt({ min: 2n ** 53n, max: 2n ** 90n }), unit), ([count, letter]) => {
      expect(parseSize(`${count}${letter}`)).toBeUndefined();
    }),
  );
  expect(parseSize("99999999999T")).toBeUndefined();
});

test.each(["-5", "+5", "1.5G", "10GB", "10P", "abc", " 1", "1 ", "1e3", "0x10", "G", "１", "1\n"])(
  "%j is no size",
  (text) => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test("an empty text is 0, the driver's default", () => {
  expect(parseSize("")).toBe(0);
});
