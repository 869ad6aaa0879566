/**
 * Commands of a Markdown page that a test runs: the fenced blocks that stand right after a line
 * `<!-- test: NAME -->`, in order.
 */
export function guideBlocks(markdown: string, name: string): string[] {
  const blocks: string[] = [];
  const pattern = /<!-- test: ([a-z0-9-]+) -->\n\s*```[a-z]*\n([\s\S]*?)\n```/g;
  for (const [, marker, block] of markdown.matchAll(pattern)) if (marker === name) blocks.push(block!);
  return blocks;
}
