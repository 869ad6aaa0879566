import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { logMixin } from "../../host/log.ts";
import type { VolumesApi } from "../../volumes/api.ts";
import type { DockerSettings } from "../docker/routes.ts";
import { ConvoyServer } from "../server.ts";

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A server on a unix socket of its own, with whatever volumes a test gives it. */
export class RunningServer {
  readonly socket: string;
  readonly server: ConvoyServer;
  /** Everything that was logged. */
  readonly logged: string[];
  readonly #directory: string;

  private constructor(directory: string, socket: string, server: ConvoyServer, logged: string[]) {
    this.#directory = directory;
    this.socket = socket;
    this.server = server;
    this.logged = logged;
  }

  static async start(volumes: VolumesApi, docker: Partial<DockerSettings> = {}): Promise<RunningServer> {
    const directory = await mkdtemp(join(tmpdir(), "convoy-server-"));
    const logged: string[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        logged.push(String(chunk));
        done();
      },
    });
    const server = new ConvoyServer({
      volumes,
      general: {
        Root: "/root",
        DriverList: ["vfs"],
        DefaultDriver: "vfs",
        MountNamespaceFD: "",
        IgnoreDockerDelete: false,
        CreateOnDockerMount: false,
        CmdTimeout: "",
      },
      docker: { ignoreDelete: false, createOnMount: false, scope: "local", ...docker },
      log: pino({ level: "debug", base: null, mixin: logMixin }, sink),
    });
    const socket = join(directory, "s");
    server.http.listen(socket);
    await once(server.http, "listening");
    return new RunningServer(directory, socket, server, logged);
  }

  /** One request through node:http; an object as body is sent as JSON, a text as it is. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const length = payload === undefined ? {} : { "Content-Length": String(Buffer.byteLength(payload)) };
    const sent = request({ socketPath: this.socket, method, path, headers: { Host: "x", ...length, ...headers } });
    sent.end(payload);
    const [response] = await once(sent, "response");
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return { status: response.statusCode, headers: response.headers, body: text };
  }

  /** Writes bytes as they are and returns everything that comes back until the server closes the connection. */
  async raw(text: string): Promise<string> {
    const socket = connect(this.socket);
    await once(socket, "connect");
    socket.write(text.replaceAll("\n", "\r\n"));
    let answer = "";
    for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
    return answer;
  }

  async stop(): Promise<void> {
    this.server.stopAccepting();
    await this.server.drain(1000);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
