import type { MarkerMemory } from "../../host/root.ts";

/** A memory of markers for tests: empty at first, kept in this process. */
export function forgetful(): MarkerMemory {
  const known = new Map<string, string[]>();
  return {
    takenOver: false,
    remembered: (place) => known.get(place) ?? [],
    async remember(place, id) {
      known.set(place, [...(known.get(place) ?? []), id]);
    },
  };
}
