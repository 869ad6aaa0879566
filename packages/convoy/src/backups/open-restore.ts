import type { OpenedRestore } from "./engine.ts";
export async function openRestore(..._: unknown[]): Promise<OpenedRestore> {
  throw new Error("x");
}
