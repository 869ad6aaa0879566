import { messageOf } from "../../errors.ts";
import type { VolumesApi } from "../../volumes/api.ts";
import { withLimit } from "../limit.ts";
import { json, type Reply, word } from "../reply.ts";
import type { Route } from "../route.ts";

/** A driver that does not answer for so long is not ready. */
const LIMIT_MS = 5_000;

/**
 * `GET /healthz`: the daemon answers. `GET /readyz`: it can serve, that is, every driver answers and no shutdown is
 * under way; 503 with the reasons otherwise.
 */
export function healthRoutes(volumes: VolumesApi, isShuttingDown: () => boolean): Route[] {
  const get = (path: string, handle: () => Promise<Reply>): Route => ({ method: "GET", path, versioned: true, handle });
  return [
    get("/healthz", async () => word("ok")),
    get("/readyz", async () => {
      const reasons = isShuttingDown() ? ["the daemon is shutting down"] : await driverProblems(volumes);
      return json({ Ready: reasons.length === 0, Reasons: reasons }, reasons.length === 0 ? 200 : 503);
    }),
  ];
}

async function driverProblems(volumes: VolumesApi): Promise<string[]> {
  try {
    await withLimit(volumes.driverInfo(), LIMIT_MS, `the drivers do not answer within ${LIMIT_MS / 1000} s`);
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}
