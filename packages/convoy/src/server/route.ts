import type { Infer, Schema } from "node-convoy/wire";
import { fieldsOf } from "./body.ts";
import type { Reply } from "./reply.ts";
import { checkRequest } from "./validate.ts";

/** A request on its way to a route's handler. */
export interface RouteRequest {
  /** Reads the body once it is needed. */
  body(): Promise<string>;
  query: URLSearchParams;
}

export interface Route {
  method: string;
  /** Without version prefix and without a slash at the end. */
  path: string;
  /** Whether `/v1` and the like may stand before the path. */
  versioned: boolean;
  /** Whether an unknown volume is 404 in a plain-text answer, as in v0.5.2, and not 400. */
  notFoundIs404?: boolean;
  handle(request: RouteRequest): Promise<Reply>;
}

/** A route of the REST API whose fields are described by `schema`; they come from the body or the query. */
export function restRoute<S extends Schema>(
  method: string,
  path: string,
  schema: S,
  handler: (fields: Infer<S>) => Promise<Reply>,
  extra: Pick<Route, "notFoundIs404"> = {},
): Route {
  const handle = async (request: RouteRequest) =>
    handler(checkRequest(schema, fieldsOf(await request.body(), request.query, schema)));
  return { method, path, versioned: true, handle, ...extra };
}

/** A route of the REST API that reads nothing but its query string; a body is ignored. */
export function queryRoute<S extends Schema>(
  path: string,
  schema: S,
  handler: (fields: Infer<S>) => Promise<Reply>,
): Route {
  return { method: "GET", path, versioned: true, handle: (request) => handler(checkRequest(schema, request.query)) };
}
