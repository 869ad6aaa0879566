import { type Convoy, DEFAULT_SOCKET, type Method } from "node-convoy";
import type { Context } from "./command.ts";
import { shellWord } from "./human.ts";
import { STDERR, STDOUT, writeAll } from "./io.ts";

/** The context of commands that run for real. */
export function createContext(client: Convoy, options: { json: boolean; verbose: boolean; debug: boolean }): Context {
  const note = (text: string): void => {
    writeAll(STDERR, `${text}\n`);
  };
  const socket = client.socketPath;
  return {
    client,
    socket,
    verbose: options.verbose,
    json: options.json,
    note,
    print: (text) => {
      writeAll(STDOUT, text);
    },
    async ask(method: Method, path: string, data?: unknown): Promise<Buffer> {
      if (options.debug) {
        note(`debug: sending request ${method} ${path} to ${socket}`);
        note(`debug: request data ${JSON.stringify(data ?? null)}`);
      }
      const answer = await client.request(method, path, data);
      for (const warning of answer.warnings) note(`warning: ${warning}`);
      return answer.body;
    },
    commandLine: (words) => `convoy ${socket === DEFAULT_SOCKET ? "" : `--socket ${shellWord(socket)} `}${words}`,
  };
}
