import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { ConvoyError } from "../../errors.ts";
import type { Logger } from "../../host/log.ts";
import type { StoreUrl } from "../url.ts";
import { Connection, LIMITS, type S3Limits } from "./connection.ts";
import { S3Store } from "./s3-store.ts";

type S3Url = Extract<StoreUrl, { scheme: "s3" }>;
type Credentials = NonNullable<S3ClientConfig["credentials"]>;

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * Opens an S3 store; no request is sent yet. Region: the URL's, else AWS_REGION, AWS_DEFAULT_REGION, else that of the
 * shared configuration files. With an endpoint buckets stand in the path, as other makers' servers need it.
 */
export async function openS3Store(
  place: S3Url,
  options: { endpoint: string; log: Logger },
  limits: S3Limits = LIMITS,
): Promise<S3Store> {
  const endpoint = parseEndpoint(options.endpoint);
  const [sdk, credentials] = await Promise.all([import("@aws-sdk/client-s3"), credentialChain()]);
  const region = place.region || process.env["AWS_REGION"] || process.env["AWS_DEFAULT_REGION"];
  const client = new sdk.S3Client({
    ...(region ? { region } : {}),
    ...(endpoint === undefined ? {} : { endpoint: endpoint.href, forcePathStyle: true }),
    credentials,
    // Other makers' servers refuse or misread the SDK's own checksums; what we send bears MD5 and SHA-256 anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    expectContinueHeader: false,
    retryMode: "standard",
    maxAttempts: limits.attempts,
    requestHandler: { connectionTimeout: limits.connectMs, socketTimeout: limits.idleMs, logger: SILENT },
    logger: SILENT,
  });
  try {
    await client.config.region();
  } catch (cause) {
    client.destroy();
    throw new ConvoyError("INVALID_OPTION", "AWS Error:  MissingRegion could not find region configuration <nil>", {
      cause,
      hint: `Write the region into the URL (s3://${place.bucket}@region/…) or set AWS_REGION for the daemon; any name will do for most services other than Amazon's.`,
    });
  }
  const origin = endpoint === undefined ? "" : endpoint.href.replace(/\/$/, "");
  const connection = new Connection(
    sdk,
    client,
    place.bucket,
    { url: place.url, endpoint: origin },
    limits,
    options.log,
  );
  return new S3Store(connection, place.prefix);
}

function parseEndpoint(text: string): URL | undefined {
  if (text === "") return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
  const valid =
    url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.search === "";
  if (valid) return url;
  // It may hold a password, so it is not repeated.
  throw new ConvoyError("INVALID_OPTION", "The S3 endpoint is not an address of a service", {
    hint: "Write http://host:port or https://host:port, without user name and password.",
  });
}

/**
 * The standard chain (environment, shared files, SSO, web identity, container, machine role). Before it the names that
 * v0.5.2's manual uses, where the standard ones are not set.
 */
async function credentialChain(): Promise<Credentials> {
  const env = process.env;
  const accessKeyId = env["AWS_ACCESS_KEY_ID"] || env["AWS_ACCESS_KEY"];
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"] || env["AWS_SECRET_KEY"];
  const standard = env["AWS_ACCESS_KEY_ID"] && env["AWS_SECRET_ACCESS_KEY"];
  if (!standard && accessKeyId && secretAccessKey) {
    const sessionToken = env["AWS_SESSION_TOKEN"];
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  }
  const { fromNodeProviderChain } = await import("@aws-sdk/credential-providers");
  return fromNodeProviderChain({ logger: SILENT });
}
