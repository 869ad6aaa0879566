import type { Infer, Schema } from "node-convoy/wire";
import { fieldsOf } from "../body.ts";
import type { RouteRequest } from "../route.ts";
import { checkRequest } from "../validate.ts";

/** What Docker Engine sends to every volume endpoint (volume plugin protocol v1). */
const pluginRequest = {
  type: "object",
  properties: {
    Name: { type: "string" },
    Opts: { type: "object", additionalProperties: { type: "string" } },
    /** One per container start, the same in Mount and Unmount; engines before 1.12 send none. */
    ID: { type: "string" },
  },
} as const satisfies Schema;

export interface PluginRequest {
  name: string;
  opts: ReadonlyMap<string, string>;
  id: string;
}

/** Decodes the body by the rules of the REST API. @throws INVALID_REQUEST */
export async function pluginRequestOf(request: RouteRequest): Promise<PluginRequest> {
  const fields: Infer<typeof pluginRequest> = checkRequest(
    pluginRequest,
    fieldsOf(await request.body(), request.query, pluginRequest),
  );
  return { name: fields.Name ?? "", opts: new Map(Object.entries(fields.Opts ?? {})), id: fields.ID ?? "" };
}
