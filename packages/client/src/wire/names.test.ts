import { assert, property, string, stringMatching } from "fast-check";
import { expect, test } from "vitest";
import { isValidName } from "./names.ts";

test("an accepted name is one path component without tricks", () => {
  assert(
    property(string(), (name) => {
      if (!isValidName(name)) return;
      expect(name).toMatch(/^[a-zA-Z0-9]/);
      expect(name).not.toMatch(/[^a-zA-Z0-9_.-]/);
      expect(name.length).toBeGreaterThan(1);
    }),
  );
});

test("every name of the pattern is accepted", () => {
  assert(
    property(stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/), (name) => {
      expect(isValidName(name)).toBe(true);
    }),
  );
});

test.each(["", "a", ".a", "-lead", "_a", "a/b", "a/../../evil", "..", "bad name!", "vol\n", "vol\0", "vol1\u0301"])(
  "%j is no name",
  (name) => {
    expect(isValidName(name)).toBe(false);
  },
);
