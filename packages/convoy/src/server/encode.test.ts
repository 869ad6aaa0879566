import fc from "fast-check";
import { expect, test } from "vitest";
import { encode, encodeEntries } from "./encode.ts";

test("writes JSON as v0.5.2 did: tabs, escaped ampersands, sorted maps, empty containers on one line", () => {
  const value = {
    URL: "vfs:///b?backup=a&volume=b",
    Tags: new Map<string, unknown>([
      ["9", "<x>"],
      ["10", []],
      ["a", {}],
    ]),
    Left: undefined,
    None: null,
    Many: ["one", 2, true],
  };
  expect(encode(value)).toBe(
    [
      "{",
      '\t"URL": "vfs:///b?backup=a\\u0026volume=b",',
      '\t"Tags": {',
      '\t\t"10": [],',
      '\t\t"9": "\\u003cx\\u003e",',
      '\t\t"a": {}',
      "\t},",
      '\t"None": null,',
      '\t"Many": [',
      '\t\t"one",',
      "\t\t2,",
      "\t\ttrue",
      "\t]",
      "}",
    ].join("\n"),
  );
});

test("entries written piece by piece are the same text as written at once", () => {
  const entries: [string, unknown][] = [
    ["10", { Name: "10" }],
    ["a&b", { Snapshots: new Map() }],
  ];
  expect([...encodeEntries(entries)].join("")).toBe(encode(new Map(entries)));
  expect([...encodeEntries([])].join("")).toBe("{}");
});

test("whatever is written reads back as it was, with nothing that HTML could take for its own", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = encode(value);
      expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(value));
      expect(text).not.toMatch(/[<>&\u2028\u2029]/);
    }),
  );
});
