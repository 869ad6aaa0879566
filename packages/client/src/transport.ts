import type { ClientRequest, IncomingMessage } from "node:http";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { ConvoyClientError } from "./errors.ts";
import { connectionError, errorOfAnswer } from "./failures.ts";

export type Method = "GET" | "POST" | "DELETE";

export interface CallOptions {
  /** Gives the call up. The daemon may go on with what it has begun. */
  signal?: AbortSignal;
  /** Limit of the whole call in milliseconds; 0: no limit. Each method has its own default. */
  timeoutMs?: number;
}

/** An answer with status 200 to 299, as it came. */
export interface RawAnswer {
  status: number;
  body: Buffer;
  /** What the daemon wants the user to know although the call succeeded. */
  warnings: string[];
}

/** Time to get a connection; a daemon that lives accepts at once. */
const CONNECT_LIMIT_MS = 10_000;
/** The longest delay that a timer of JavaScript takes: about 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const HEADERS = {
  // A plain name: several servers refuse the socket's path here.
  Host: "localhost",
  "User-Agent": "Convoy-Client/1",
  Accept: "application/problem+json, application/json;q=0.9, text/plain;q=0.8",
};

/**
 * Sends one request over the unix socket and waits for the whole answer. The data always go as a JSON body, with GET
 * and DELETE too, as the daemon's API wants it; `undefined` is sent as `null`.
 * @throws {ConvoyClientError} for every status from 300 on, and for every failure on the way.
 */
export function send(
  socketPath: string,
  method: Method,
  path: string,
  data: unknown,
  options: CallOptions = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs = 0 } = options;
    const body = Buffer.from(JSON.stringify(data ?? null));
    let call: ClientRequest | undefined;
    let timer: NodeJS.Timeout | undefined;
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      finish();
    };
    const fail = (error: ConvoyClientError): void => {
      end(() => reject(error));
      call?.destroy();
    };
    const cancel = (): void =>
      fail(new ConvoyClientError("the call was cancelled", { code: "CANCELLED", cause: signal?.reason }));
    const limit = (ms: number, text: string): void => {
      clearTimeout(timer);
      if (ms > 0 && ms <= LONGEST_TIMER_MS) {
        timer = setTimeout(() => fail(new ConvoyClientError(text, { code: "TIMEOUT", hint: TIMEOUT_HINT })), ms);
      }
    };

    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    const connectLimit = timeoutMs > 0 ? Math.min(timeoutMs, CONNECT_LIMIT_MS) : CONNECT_LIMIT_MS;
    limit(connectLimit, `the Convoy daemon at ${socketPath} did not accept the connection within ${connectLimit} ms`);
    call = httpRequest({
      // Without an agent: one connection per call, and measured 3 ms less for a command that makes one call.
      createConnection: () => connect(socketPath),
      method,
      path,
      headers: { ...HEADERS, "Content-Type": "application/json", "Content-Length": body.length },
    });
    call.on("socket", (socket) =>
      socket.once("connect", () =>
        limit(timeoutMs, `the Convoy daemon at ${socketPath} did not answer within ${timeoutMs} ms`),
      ),
    );
    call.on("error", (error) => fail(connectionError(socketPath, error)));
    call.on("response", (response) =>
      collect(response, (answer, lost) => {
        if (lost) return fail(connectionError(socketPath, lost));
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) {
          const warnings = warningsIn(response.headersDistinct["warning"] ?? []);
          return end(() => resolve({ status, body: answer, warnings }));
        }
        fail(errorOfAnswer(status, response.statusMessage ?? "", response.headers["content-type"] ?? "", answer));
      }),
    );
    call.end(body);
  });
}

const TIMEOUT_HINT = "The daemon may still be working on it; look at its state before trying again.";

/** Reads a whole response; `done` is called once, with an error when the connection ended too early. */
function collect(response: IncomingMessage, done: (body: Buffer, lost?: Error) => void): void {
  const pieces: Buffer[] = [];
  response.on("data", (piece: Buffer) => pieces.push(piece));
  response.on("error", (error) => done(Buffer.alloc(0), error));
  response.on("end", () => done(Buffer.concat(pieces)));
}

/** Texts of `Warning` headers (RFC 7234, section 5.5): `299 agent "text"`. */
function warningsIn(headers: readonly string[]): string[] {
  return headers.map((header) => {
    const quoted = /^\d{3} \S+ "(.*)"$/.exec(header)?.[1];
    return quoted === undefined ? header : quoted.replace(/\\(.)/g, "$1");
  });
}
