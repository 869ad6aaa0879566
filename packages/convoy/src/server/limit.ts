import { ConvoyError } from "../errors.ts";

/**
 * Waits at most `limitMs` for work that cannot be taken back; the work itself goes on.
 * @throws TIMEOUT with `message`.
 */
export async function withLimit<T>(work: Promise<T>, limitMs: number, message: string, hint?: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConvoyError("TIMEOUT", message, hint === undefined ? {} : { hint })), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
