/**
 * Commands of a Markdown page that a test runs. A fenced block is run if the line before it (blank lines apart) is
 * `<!-- test: NAME -->`. Within a block, a line `# prints: TEXT` demands that the output of the command before it
 * contains TEXT.
 */
export function guideBlocks(markdown: string, name: string): string[] {
  const blocks: string[] = [];
  const pattern = /<!-- test: ([a-z0-9-]+) -->\n\s*```[a-z]*\n([^]*?)\n```/g;
  for (const [, marker, block] of markdown.matchAll(pattern)) if (marker === name) blocks.push(block!);
  return blocks;
}

/** A POSIX shell script of the blocks that stops at the first command that fails or prints something else. */
export function guideScript(blocks: readonly string[]): string {
  const lines = ["set -eu"];
  for (const command of blocks.flatMap((block) => joinContinued(block.split("\n")))) {
    const wanted = /^\s*# prints: (.*)$/.exec(command)?.[1];
    if (wanted === undefined) {
      lines.push(command);
      continue;
    }
    const printing = lines.pop();
    if (printing === undefined || printing === "set -eu") throw new Error(`no command before '# prints: ${wanted}'`);
    // The output goes to a file first, so that the command's own failure is not hidden by a pipe.
    lines.push(`${printing} > "$GUIDE_OUTPUT"`, 'cat "$GUIDE_OUTPUT"', `grep -qF -e ${quoted(wanted)} "$GUIDE_OUTPUT"`);
  }
  return `${lines.join("\n")}\n`;
}

/** Lines that end in a backslash go on in the next one. */
function joinContinued(lines: readonly string[]): string[] {
  const joined: string[] = [];
  for (const line of lines) {
    if (joined.at(-1)?.endsWith("\\")) joined.push(`${joined.pop()!.slice(0, -1)}${line.trim()}`);
    else if (line.trim() !== "") joined.push(line);
  }
  return joined;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
