import type { InfoDocument } from "node-convoy/wire";
import type { VolumesApi } from "../../volumes/api.ts";
import { encode, sortedByKey } from "../encode.ts";
import type { Reply } from "../reply.ts";
import type { Route } from "../route.ts";

export type GeneralInfo = InfoDocument["General"];

/** `GET /info`: the daemon's settings and what each driver says about itself. */
export function infoRoute(volumes: VolumesApi, general: GeneralInfo): Route {
  return {
    method: "GET",
    path: "/info",
    versioned: true,
    handle: async () => infoReply(general, await volumes.driverInfo()),
  };
}

/** v0.5.2 put this document together by hand: the outermost level is not indented. */
function infoReply(general: GeneralInfo, drivers: Map<string, Record<string, string>>): Reply {
  const parts = [`"General": ${encode(general)}`];
  for (const [name, info] of sortedByKey(drivers)) {
    parts.push(`${encode(name)}: ${encode(new Map(Object.entries(info)))}`);
  }
  return { status: 200, contentType: "application/json", body: `{\n${parts.join(",\n")}\n}` };
}
