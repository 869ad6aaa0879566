const UNITS: Record<string, bigint> = { "": 1n, k: 1n << 10n, m: 1n << 20n, g: 1n << 30n, t: 1n << 40n };
const LARGEST = (1n << 63n) - 1n;

/**
 * Parses a size as the original does: digits, or digits and one of `k m g t` in either case (powers of 1024).
 * An empty text is 0, which means "the driver's default".
 * @returns the size in bytes, or `undefined` when the text is not a size, is negative, or does not fit.
 * Sizes above 2^53-1 cannot be told apart in JSON numbers of JavaScript and are refused as well.
 */
export function parseSize(text: string): number | undefined {
  if (text === "") return 0;
  const match = /^([0-9]+)([kmgt]?)$/i.exec(text);
  if (!match) return undefined;
  const bytes = BigInt(match[1]!) * UNITS[match[2]!.toLowerCase()]!;
  if (bytes > LARGEST || bytes > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return Number(bytes);
}

/** What a size may look like, for messages. */
export const SIZE_HELP = "digits, or digits followed by one of k, m, g, t (powers of 1024), for example 512m or 10G";
