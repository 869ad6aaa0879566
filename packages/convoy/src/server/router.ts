import { posix } from "node:path";
import type { Route } from "./route.ts";

/** What a request's method and URL lead to. */
export type Match =
  | { kind: "route"; route: Route; query: URLSearchParams }
  | { kind: "redirect"; location: string }
  /** `allowed`: the methods that this path has, none for an unknown path. */
  | { kind: "none"; allowed: string[] };

const VERSION_PREFIX = /^\/v[0-9.]+(?=\/)/;

/**
 * Finds routes by path and method. A path may have a slash at its end or none; REST routes also answer below `/v1` or
 * any other number. A path with doubled slashes or dot segments is redirected to its clean form, as in v0.5.2.
 */
export class Router {
  readonly #paths = new Map<string, Map<string, Route>>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const methods = this.#paths.get(route.path) ?? new Map<string, Route>();
      methods.set(route.method, route);
      this.#paths.set(route.path, methods);
    }
  }

  match(method: string, url: string): Match {
    const relative = url.replace(/^https?:\/\/[^/?]*/i, "");
    const mark = relative.indexOf("?");
    const path = mark < 0 ? relative : relative.slice(0, mark);
    const search = mark < 0 ? "" : relative.slice(mark);
    const clean = posix.normalize(path || "/");
    if (clean !== path && path.startsWith("/")) return { kind: "redirect", location: clean + search };
    const bare = path.replace(VERSION_PREFIX, "");
    const methods = this.#paths.get(bare.length > 1 ? bare.replace(/\/$/, "") : bare);
    const routes = [...(methods?.values() ?? [])].filter((route) => route.versioned || bare === path);
    const route = routes.find((candidate) => candidate.method === method);
    if (route === undefined) return { kind: "none", allowed: routes.map((candidate) => candidate.method) };
    return { kind: "route", route, query: new URLSearchParams(search) };
  }
}
