import type { $Command, S3Client, ServiceInputTypes, ServiceOutputTypes } from "@aws-sdk/client-s3";
import type { Logger } from "../../host/log.ts";
import { throwIfAborted } from "../cancel.ts";
import { type S3Place, s3Error } from "./errors.ts";

export type Sdk = typeof import("@aws-sdk/client-s3");

/** Limits of the conversation with the service, in milliseconds; tests shorten them. */
export interface S3Limits {
  connectMs: number;
  /** So long a connection may stay silent, sending and receiving. */
  idleMs: number;
  /** One request with all its attempts; not for the reading of a body. */
  requestMs: number;
  /** Tries of one request, with growing pauses in between. */
  attempts: number;
}

export const LIMITS: S3Limits = { connectMs: 10_000, idleMs: 60_000, requestMs: 15 * 60_000, attempts: 5 };

type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3Client["config"],
  ServiceInputTypes,
  ServiceOutputTypes
>;

export interface SendOptions {
  signal: AbortSignal | undefined;
  /** SHA-256 of the body in hex, so that the SDK need not compute it in one go on the event loop. */
  sha256?: string;
  /** The answer's body is read afterwards: no limit on the whole. */
  streaming?: boolean;
}

/** A client of one bucket, with its limits. Errors of `send` are the SDK's own; `error` makes them the user's. */
export class Connection {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly place: S3Place;
  readonly limits: S3Limits;
  readonly log: Logger;

  constructor(sdk: Sdk, client: S3Client, bucket: string, place: S3Place, limits: S3Limits, log: Logger) {
    this.sdk = sdk;
    this.client = client;
    this.bucket = bucket;
    this.place = place;
    this.limits = limits;
    this.log = log;
  }

  /** @returns the answer, and the service's time from its Date header (this machine's if it sends none) */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    options: SendOptions,
  ): Promise<{ output: O; date: Date | undefined }> {
    const { signal, sha256 } = options;
    throwIfAborted(signal);
    let date: string | undefined;
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        date = (result.response as { headers?: Record<string, string> }).headers?.["date"];
        return result;
      },
      { step: "deserialize", name: "convoyDate" },
    );
    if (sha256 !== undefined) {
      command.middlewareStack.add(
        (next) => (args) => {
          (args.request as { headers: Record<string, string> }).headers["x-amz-content-sha256"] = sha256;
          return next(args);
        },
        { step: "build", name: "convoyPayloadHash" },
      );
    }
    const output = options.streaming
      ? await this.client.send(command, signal === undefined ? {} : { abortSignal: signal })
      : await this.#limited(command, signal);
    const time = new Date(date ?? Number.NaN);
    return { output, date: Number.isNaN(time.getTime()) ? undefined : time };
  }

  async #limited<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    signal: AbortSignal | undefined,
  ): Promise<O> {
    const controller = new AbortController();
    const onAbort = () => controller.abort();
    signal?.addEventListener("abort", onAbort, { once: true });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      controller.abort();
    }, this.limits.requestMs);
    try {
      return await this.client.send(command, { abortSignal: controller.signal });
    } catch (error) {
      if (!late) throw error;
      throw Object.assign(new Error(`no answer within ${this.limits.requestMs} ms`), { name: "TimeoutError" });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  error(error: unknown, action: string, signal: AbortSignal | undefined): Error {
    return s3Error(error, action, this.place, signal);
  }
}
