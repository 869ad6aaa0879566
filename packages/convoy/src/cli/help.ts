import { VERSION } from "../version.ts";
import { type Command, type Group, isGroup } from "./command.ts";
import { type Flag, withHelp } from "./parse.ts";

/** Help of the whole program. */
export function programHelp(items: readonly (Command | Group)[], flags: readonly Flag[]): string {
  return sections([
    ["NAME", ["convoy - Docker volumes that can be snapshotted, backed up and restored on any host"]],
    ["USAGE", ["convoy [global options] command [command options] [arguments...]"]],
    ["VERSION", [`v${VERSION}`]],
    ["COMMANDS", commandLines(items)],
    ["GLOBAL OPTIONS", flagLines([...withHelp(flags)])],
    ["EXAMPLES", exampleLines(PROGRAM_EXAMPLES)],
    ["MORE", ["convoy help COMMAND, or convoy COMMAND --help: options and examples of a command"]],
  ]);
}

const PROGRAM_EXAMPLES = [
  ["A volume, and a container that uses it", "convoy create vol1"],
  ["", "docker run --rm -v vol1:/data --volume-driver=convoy busybox touch /data/file"],
  ["Keep its present state, and store it elsewhere", "convoy snapshot create vol1 --name snap1"],
  ["", "convoy backup create snap1 --dest s3://bucket@eu-central-1/path/"],
  ["The same from a script", "convoy --output json list"],
] as const;

/** Help of a group such as `snapshot`. */
export function groupHelp(group: Group): string {
  return sections([
    ["NAME", [`convoy ${group.name} - ${group.summary}`]],
    ["USAGE", [`convoy ${group.name} command [command options] [arguments...]`]],
    ["COMMANDS", commandLines(group.commands)],
    ["OPTIONS", flagLines(withHelp(group.flags))],
  ]);
}

/** Help of one command; `path` is how it is called, for example `snapshot create`. */
export function commandHelp(path: string, command: Command): string {
  return sections([
    ["NAME", [`convoy ${path} - ${command.summary}`]],
    ["USAGE", [["convoy", path, "[options]", ...command.positionals].join(" ")]],
    ["ABOUT", command.details?.split("\n") ?? []],
    ["OPTIONS", flagLines(withHelp(command.flags))],
    ["EXAMPLES", exampleLines(command.examples)],
  ]);
}

function sections(parts: readonly (readonly [title: string, lines: readonly string[]])[]): string {
  return parts
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `${title}:\n${lines.map((line) => (line === "" ? "" : `   ${line}`)).join("\n")}\n`)
    .join("\n");
}

function commandLines(items: readonly (Command | Group)[]): string[] {
  const rows = items.map((item) => [item.name, item.summary + (isGroup(item) ? ` (${names(item)})` : "")] as const);
  return columns([...rows, ["help, h", "show the commands, or the help of one of them"]]);
}

function names(group: Group): string {
  return group.commands.map((command) => command.name).join(", ");
}

function flagLines(flags: readonly Flag[]): string[] {
  return columns(
    flags.map((flag) => {
      const value = flag.type === "boolean" ? "" : ` ${flag.value ?? "VALUE"}`;
      const short = flag.alias ? `, -${flag.alias}` : "";
      const notes = [
        flag.choices ? `one of ${flag.choices.join(", ")}` : "",
        flag.initial ? `default ${flag.initial}` : "",
        flag.type === "strings" ? "may be repeated" : "",
      ].filter((note) => note !== "");
      return [`--${flag.name}${value}${short}`, flag.help + (notes.length > 0 ? ` (${notes.join("; ")})` : "")];
    }),
  );
}

function exampleLines(examples: readonly (readonly [remark: string, line: string])[]): string[] {
  return examples.flatMap(([remark, line]) => (remark === "" ? [line] : [`# ${remark}`, line]));
}

function columns(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}
