import fc from "fast-check";
import { expect, test } from "vitest";
import { partSize } from "./upload.ts";

const GIB = 2 ** 30;

test("an object of up to 5 TiB, and of a twentieth more than was said, never needs more than 10,000 parts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 * 1024 * GIB }), (size) => {
      const part = partSize(size);
      expect(Math.ceil((size * 1.05) / part)).toBeLessThanOrEqual(10_000);
      // The service takes nothing smaller than 5 MiB but the last part.
      expect(part).toBeGreaterThanOrEqual(5 << 20);
    }),
  );
});

test("three parts of a 200 GiB archive stay below 70 MiB of memory", () => {
  expect(3 * partSize(200 * GIB)).toBeLessThan(70 << 20);
});
