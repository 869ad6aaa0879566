import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What the proxy does to connections that are made, or go on, from now on. */
export type Fault =
  | { kind: "pass" }
  /** Nobody listens. */
  | { kind: "refuse" }
  /** The connection is reset as soon as it is there. */
  | { kind: "reset" }
  /** The connection is reset after so many bytes of the answer. */
  | { kind: "cut"; afterBytes: number }
  /** The answer stops after so many bytes; the connection stays open. */
  | { kind: "hang"; afterBytes: number }
  /** The server carries out the first request whose head matches, but its answer is lost: the connection is reset. */
  | { kind: "lose-answer"; request: RegExp }
  /** Every request is answered with this status, and the real server never sees it. */
  | { kind: "status"; status: number; body?: string };

export interface FaultProxy {
  port: number;
  /** Connections seen so far. */
  connections(): number;
  /** `times`: the fault strikes so many connections, then all pass; left out: until told otherwise. */
  set(fault: Fault, times?: number): Promise<void>;
  close(): Promise<void>;
}

/** A TCP proxy on the loopback interface that breaks connections on demand. */
export async function faultProxy(targetPort: number): Promise<FaultProxy> {
  let fault: Fault = { kind: "pass" };
  let left = Number.POSITIVE_INFINITY;
  let connections = 0;
  const open = new Set<Socket>();

  const server = createServer((client) => {
    connections += 1;
    const mine: Fault = left > 0 ? fault : { kind: "pass" };
    left -= 1;
    track(client);
    serve(client, mine);
  });

  function track(socket: Socket): void {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    // What happens to one side is passed on to the other in `serve`.
    socket.on("error", () => undefined);
  }

  function serve(client: Socket, mine: Fault): void {
    if (mine.kind === "reset") {
      client.resetAndDestroy();
      return;
    }
    if (mine.kind === "status") {
      client.on("data", () => {
        const body = mine.body ?? "";
        client.end(
          `HTTP/1.1 ${mine.status} Fault\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
        );
      });
      return;
    }
    const upstream = connect(targetPort, "127.0.0.1");
    track(upstream);
    client.pipe(upstream);
    client.on("close", () => upstream.destroy());
    if (mine.kind === "pass" || mine.kind === "refuse") {
      upstream.pipe(client);
      upstream.on("close", () => client.destroy());
      return;
    }
    if (mine.kind === "lose-answer") {
      loseAnswer(client, upstream, mine.request);
      return;
    }
    let sent = 0;
    upstream.on("data", (chunk: Buffer) => {
      const room = mine.afterBytes - sent;
      if (room <= 0) return;
      const piece = chunk.subarray(0, room);
      sent += piece.length;
      client.write(piece, () => {
        if (mine.kind === "cut" && sent >= mine.afterBytes) client.resetAndDestroy();
      });
    });
    upstream.on("close", () => {
      if (sent < mine.afterBytes) client.end();
    });
  }

  function loseAnswer(client: Socket, upstream: Socket, request: RegExp): void {
    let losing = false;
    client.on("data", (chunk: Buffer) => {
      if (fault.kind !== "lose-answer" || !request.test(chunk.toString("latin1"))) return;
      losing = true;
      fault = { kind: "pass" };
    });
    upstream.on("data", (chunk: Buffer) => {
      if (losing) client.resetAndDestroy();
      else client.write(chunk);
    });
    upstream.on("close", () => client.destroy());
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    port,
    connections: () => connections,
    async set(next, times = Number.POSITIVE_INFINITY) {
      fault = next;
      left = times;
      // Connections kept alive would not feel the new fault.
      for (const socket of open) socket.destroy();
      if (next.kind === "refuse" && server.listening) {
        server.close();
        await once(server, "close");
      }
      if (next.kind !== "refuse" && !server.listening) {
        server.listen(port, "127.0.0.1");
        await once(server, "listening");
      }
    },
    async close() {
      for (const socket of open) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}
