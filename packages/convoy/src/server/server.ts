import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ConvoyError } from "../errors.ts";
import { logFailure, toConvoyError } from "../host/failure-log.ts";
import type { Logger } from "../host/log.ts";
import { inRequest } from "../host/request-id.ts";
import type { VolumesApi } from "../volumes/api.ts";
import { readBody } from "./body.ts";
import { type DockerSettings, dockerRoutes } from "./docker/routes.ts";
import { plainReply, problemReply, wantsProblem } from "./problem.ts";
import { type Reply, send, text } from "./reply.ts";
import { backupRoutes } from "./rest/backups.ts";
import { healthRoutes } from "./rest/health.ts";
import { type GeneralInfo, infoRoute } from "./rest/info.ts";
import { snapshotRoutes } from "./rest/snapshots.ts";
import { volumeRoutes } from "./rest/volumes.ts";
import type { Route, Subject } from "./route.ts";
import { Router } from "./router.ts";

export interface ServerConfig {
  volumes: VolumesApi;
  general: GeneralInfo;
  docker: DockerSettings;
  log: Logger;
}

/** Clients keep connections open between calls, and one that the server closes under them fails their next call. */
const KEEP_ALIVE_MS = 3_600_000;
/** Limit for receiving one request; there is none for answering it. */
const RECEIVE_MS = 60_000;

/**
 * The HTTP server of REST API and Docker plugin, not yet listening. Plain `node:http`: see docs/architecture.md, "Why
 * no web framework".
 */
export class ConvoyServer {
  readonly http: Server;
  readonly #router: Router;
  readonly #log: Logger;
  #running = 0;
  #stopping = false;
  #whenIdle: (() => void) | undefined;

  constructor({ volumes, general, docker, log }: ServerConfig) {
    this.#log = log;
    this.#router = new Router([
      infoRoute(volumes, general),
      ...healthRoutes(volumes, () => this.#stopping),
      ...volumeRoutes(volumes),
      ...snapshotRoutes(volumes),
      ...backupRoutes(volumes),
      ...dockerRoutes(volumes, docker, log),
    ]);
    this.http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: RECEIVE_MS }, (request, response) => {
      const id = randomBytes(4).toString("hex");
      inRequest(id, () => this.#serve(id, request, response));
    });
    this.http.on("clientError", (error, socket) => refuseMalformed(error, socket as Socket, log));
  }

  /** No new connections and no new requests from now on; those that run go on. */
  stopAccepting(): void {
    this.#stopping = true;
    this.http.close();
  }

  /** Waits until no request runs, at most `limitMs`, and closes every connection. @returns requests cut off. */
  async drain(limitMs: number): Promise<number> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limitMs);
        this.#whenIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const cutOff = this.#running;
    this.http.closeAllConnections();
    return cutOff;
  }

  async #serve(id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const path = (request.url ?? "").replace(/\?.*/s, "");
    const log = this.#log.child({ request: id, method: request.method, path });
    this.#running++;
    try {
      await send(response, await this.#answer(request, response, log));
    } catch (error) {
      // Nothing of the answer can be taken back any more: the client notices that it is cut off.
      logFailure(log, error);
      response.destroy();
    } finally {
      this.#running--;
      if (this.#running === 0) this.#whenIdle?.();
      log.debug({ status: response.statusCode, durationMs: Math.round(performance.now() - started) }, "request");
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, log: Logger): Promise<Reply> {
    const asProblem = wantsProblem(request.headers.accept);
    let route: Route | undefined;
    const subject: Subject = {};
    try {
      const match = this.#router.match(request.method ?? "", request.url ?? "");
      if (match.kind === "redirect") return { status: 301, body: "", headers: { Location: match.location } };
      if (match.kind === "none") return noRoute(request, match.allowed, asProblem);
      route = match.route;
      const mismatch = route.versioned ? versionMismatch(request.headers["user-agent"]) : undefined;
      if (mismatch !== undefined) return asProblem ? problemReply(mismatch) : text(404, `${mismatch.message}\n`);
      if (this.#stopping && route.path !== "/readyz" && route.path !== "/healthz") throw shuttingDown();
      return await route.handle({ body: () => readBody(request), query: match.query, subject });
    } catch (thrown) {
      logFailure(log, thrown, subject);
      const error = toConvoyError(thrown);
      // A body that was not read to its end would be taken for the next request.
      if (!request.complete) response.shouldKeepAlive = false;
      return asProblem ? problemReply(error) : plainReply(error, route?.notFoundIs404 === true);
    }
  }
}

function noRoute(request: IncomingMessage, allowed: string[], asProblem: boolean): Reply {
  const message = `Handler not found: ${request.method} ${request.url}`;
  if (!asProblem) return text(404, message);
  if (allowed.length === 0) return problemReply(new ConvoyError("NO_SUCH_ROUTE", message));
  const error = new ConvoyError("METHOD_NOT_ALLOWED", message, { hint: `Allowed here: ${allowed.join(", ")}.` });
  return problemReply(error, { Allow: allowed.join(", ") });
}

/** The command line of v0.5.2 names its API version in `User-Agent: Convoy-Client/1`; other clients are not asked. */
function versionMismatch(userAgent = ""): ConvoyError | undefined {
  const parts = userAgent.split("/");
  if (!userAgent.includes("Convoy-Client/") || parts.length !== 2 || parts[1] === "1") return undefined;
  return new ConvoyError("VERSION_MISMATCH", `client version ${parts[1]} doesn't match with server 1`, {
    hint: "Use the convoy command of the same release as the daemon.",
  });
}

function shuttingDown(): ConvoyError {
  return new ConvoyError("SHUTTING_DOWN", "The daemon is shutting down", { hint: "Try again when it is back." });
}

/** What is not HTTP gets one plain answer, and its connection is closed. */
function refuseMalformed(error: Error & { code?: string }, socket: Socket, log: Logger): void {
  log.debug({ code: error.code }, `a connection was closed: ${error.message}`);
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}\n`);
}
