import { AsyncLocalStorage } from "node:async_hooks";

const current = new AsyncLocalStorage<string>();

/** Runs `work` as a part of the request `id`: whatever it logs, at whatever depth, bears that id. */
export function inRequest<T>(id: string, work: () => T): T {
  return current.run(id, work);
}

/** The field of the log that ties lines of one request together; empty outside of requests. */
export function requestFields(): { request?: string } {
  const request = current.getStore();
  return request === undefined ? {} : { request };
}
