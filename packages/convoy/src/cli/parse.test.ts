import { array, assert, boolean, constantFrom, oneof, property, record, string, stringMatching } from "fast-check";
import { expect, test } from "vitest";
import { type Flag, parseWords, UsageError } from "./parse.ts";

const FLAGS: readonly Flag[] = [
  { name: "size", type: "string", help: "" },
  { name: "vm", type: "boolean", help: "" },
  { name: "reference", alias: "r", type: "boolean", help: "" },
  { name: "drivers", type: "strings", help: "" },
  { name: "form", type: "string", choices: ["json", "text"], help: "" },
];
const parse = (...words: string[]) => parseWords(words, FLAGS);
const usageError = (words: string[]): string => {
  try {
    parseWords(words, FLAGS);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error("was accepted");
};

test.each([["--size", "1G"], ["-size", "1G"], ["--size=1G"], ["-size=1G"]])("%s %s", (...words) => {
  expect(parse("v1", ...words).text("size")).toBe("1G");
});

test("an attached value may be empty and may contain =", () => {
  expect(parse("--size=").text("size")).toBe("");
  expect(parse("--size=").has("size")).toBe(true);
  expect(parse("--size=a=b").text("size")).toBe("a=b");
});

test.each(["1", "t", "T", "TRUE", "true", "True"])("--vm=%s is on", (value) => {
  expect(parse(`--vm=${value}`).on("vm")).toBe(true);
});

test.each(["0", "f", "F", "FALSE", "false", "False"])("--vm=%s is off", (value) => {
  expect(parse("--vm", `--vm=${value}`).on("vm")).toBe(false);
});

test("a boolean takes no separate value", () => {
  const args = parse("--vm", "false");
  expect([args.on("vm"), args.positionals]).toEqual([true, ["false"]]);
});

test("the last of a repeated option wins, repeatable ones accumulate, commas do not split", () => {
  const args = parse("--size", "1", "--drivers", "a,b", "--size=2", "--drivers", "c");
  expect(args.text("size")).toBe("2");
  expect(args.texts("drivers")).toEqual(["a,b", "c"]);
});

test("-- ends the options", () => {
  const args = parse("--vm", "--", "-lead", "--size");
  expect(args.positionals).toEqual(["-lead", "--size"]);
});

test("DEFECT arguments around options changed their order", () => {
  expect(parse("x1", "--size", "1G", "x2").positionals).toEqual(["x1", "x2"]);
});

test("DEFECT a missing value was taken from elsewhere on the line", () => {
  expect(usageError(["v1", "--size"])).toBe("flag needs an argument: -size");
  expect(usageError(["--size", "--vm", "v1"])).toBe("flag needs an argument: -size");
  expect(usageError(["--size", "--", "v1"])).toBe("flag needs an argument: -size");
});

test("a value may begin with a dash where that is no option", () => {
  expect(parse("--size", "-5").text("size")).toBe("-5");
});

test.each([
  [["--nosuch"], "flag provided but not defined: -nosuch"],
  [["-nosuch=3"], "flag provided but not defined: -nosuch"],
  [["--vm=maybe"], 'invalid boolean value "maybe" for -vm: parse error'],
  [["---vm"], "bad flag syntax: ---vm"],
  [["--=x"], "bad flag syntax: --=x"],
  [["--form", "xml"], 'invalid value "xml" for -form: must be one of json, text'],
])("%j is refused", (words, message) => {
  expect(usageError(words)).toBe(message);
});

test("stopping at the first word leaves the rest alone", () => {
  const args = parseWords(["--vm", "create", "--nosuch", "--", "x"], FLAGS, true);
  expect([args.on("vm"), args.positionals]).toEqual([true, ["create", "--nosuch", "--", "x"]]);
});

test("whatever is given with its option comes out, and arguments keep their order", () => {
  const word = stringMatching(/^[a-z0-9./:]{1,12}$/);
  const item = oneof(
    record({ words: word.map((value) => [value]), positional: word }).map(({ words }) => ({
      words,
      is: "word" as const,
    })),
    word.map((value) => ({ words: ["--drivers", value], is: "driver" as const })),
    word.map((value) => ({ words: [`-drivers=${value}`], is: "driver" as const })),
    constantFrom(["--vm"], ["-r"]).map((words) => ({ words, is: "flag" as const })),
  );
  assert(
    property(array(item), boolean(), (items, ended) => {
      const tail = ended ? ["--", "--vm"] : [];
      const args = parse(...items.flatMap(({ words }) => words), ...tail);
      const words = items.filter(({ is }) => is === "word").map(({ words: [value] }) => value);
      expect(args.positionals).toEqual([...words, ...(ended ? ["--vm"] : [])]);
      const drivers = items
        .filter(({ is }) => is === "driver")
        .map(({ words: given }) => given.at(-1)?.split("=").at(-1));
      expect(args.texts("drivers")).toEqual(drivers);
    }),
  );
});

test("no line makes the parser fail in another way than by a usage error", () => {
  assert(
    property(array(oneof(string(), constantFrom("--", "-", "--size", "--vm=", "-=", "--form"))), (words) => {
      try {
        parseWords(words, FLAGS);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
      }
    }),
  );
});
