import type { Infer, Schema } from "node-convoy/wire";
import { fieldsOf } from "./body.ts";
import type { Reply } from "./reply.ts";
import { checkRequest } from "./validate.ts";

/** A request on its way to a route's handler. */
export interface RouteRequest {
  /** Reads the body once it is needed. */
  body(): Promise<string>;
  query: URLSearchParams;
  /** What the request is about, for the log of its failure; filled in as it becomes known. */
  subject: Subject;
}

/** The fields of an operation in the log. */
export interface Subject {
  operation?: string;
  driver?: string;
  volume?: string;
  snapshot?: string;
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

/**
 * A route of the REST API whose fields are described by `schema`; they come from the body or the query.
 * @param operation what it does, as the log calls it
 */
export function restRoute<S extends Schema>(
  operation: string,
  method: string,
  path: string,
  schema: S,
  handler: (fields: Infer<S>) => Promise<Reply>,
  extra: Pick<Route, "notFoundIs404"> = {},
): Route {
  const handle = async (request: RouteRequest) => {
    request.subject.operation = operation;
    const fields = checkRequest(schema, fieldsOf(await request.body(), request.query, schema));
    Object.assign(request.subject, subjectOf(fields as object, operation));
    return handler(fields);
  };
  return { method, path, versioned: true, handle, ...extra };
}

/** `Name` is that of what is made: of a snapshot where the volume has a field of its own. */
function subjectOf(fields: object, operation: string): Subject {
  const values = new Map<string, unknown>(Object.entries(fields));
  const given = (name: string): string | undefined => {
    const value = values.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const made = given("Name");
  const volume = given("VolumeName") ?? (operation === "create" ? made : undefined);
  const snapshot = given("SnapshotName") ?? (operation === "snapshot" ? made : undefined);
  const driver = given("DriverName");
  return {
    ...(driver === undefined ? {} : { driver }),
    ...(volume === undefined ? {} : { volume }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}

/** A route of the REST API that reads nothing but its query string; a body is ignored. */
export function queryRoute<S extends Schema>(
  operation: string,
  path: string,
  schema: S,
  handler: (fields: Infer<S>) => Promise<Reply>,
): Route {
  const handle = async (request: RouteRequest) => {
    request.subject.operation = operation;
    return handler(checkRequest(schema, request.query));
  };
  return { method: "GET", path, versioned: true, handle };
}
