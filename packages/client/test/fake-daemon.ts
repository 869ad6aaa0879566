import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface FakeAnswer {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string;
}

/** Answers one request; `undefined` never answers. */
export type Handler = (request: SeenRequest) => FakeAnswer | undefined;

/** An HTTP server on a unix socket of its own, which remembers what it was asked. */
export class FakeDaemon {
  readonly socket: string;
  readonly requests: SeenRequest[] = [];
  handler: Handler;
  readonly #directory: string;
  readonly #server: Server;

  private constructor(handler: Handler) {
    this.handler = handler;
    this.#directory = mkdtempSync(join(tmpdir(), "convoy-fake-"));
    this.socket = join(this.#directory, "convoy.sock");
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const seen = { method, url, headers, body: Buffer.concat(pieces).toString() };
        this.requests.push(seen);
        respond(response, this.handler(seen));
      });
    });
  }

  static async start(handler: Handler): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(handler);
    await new Promise<void>((resolve, reject) => {
      daemon.#server.once("error", reject);
      daemon.#server.listen(daemon.socket, resolve);
    });
    return daemon;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function respond(response: ServerResponse, answer: FakeAnswer | undefined): void {
  if (answer === undefined) return;
  response.writeHead(answer.status ?? 200, answer.headers);
  response.end(answer.body ?? "");
}
