import { ConvoyError, messageOf } from "../../errors.ts";
import { cancelled } from "../cancel.ts";

/** What the SDK's errors carry, as far as it is used here. */
interface ServiceError {
  name?: string;
  code?: string;
  Code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

/** Names of failures on the way to the service (errno of the connection, time limits of the SDK's handler). */
const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
  "TimeoutError",
]);

const CREDENTIALS_HINT =
  "The daemon looks for AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its own environment, in ~/.aws, and for a role of the machine.";
const REGION_HINT = "Write the bucket's region into the URL: s3://bucket@region/path/.";

/** What to do next, by the service's own code. */
const HINTS: Record<string, string> = {
  NoSuchBucket: "Make the bucket first, or correct its name, its region or the endpoint.",
  AccessDenied:
    "The credentials need s3:ListBucket for the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload for its objects.",
  InvalidAccessKeyId: `The service does not know this access key. ${CREDENTIALS_HINT}`,
  SignatureDoesNotMatch: `The secret key is wrong. ${CREDENTIALS_HINT}`,
  ExpiredToken: "The temporary credentials have expired; renew them and restart the daemon.",
  InvalidToken: "The session token is wrong or belongs to another access key.",
  RequestTimeTooSkewed: "This machine's clock differs too much from the service's; correct it.",
  PermanentRedirect: REGION_HINT,
  AuthorizationHeaderMalformed: REGION_HINT,
  IllegalLocationConstraintException: REGION_HINT,
  InvalidRegionName: REGION_HINT,
  SlowDown: "The service asks to go slower; try again later.",
  QuotaExceeded: "Delete old backups or raise the quota.",
};

/** What the SDK puts where the answer had no code. */
const NO_CODE = new Set(["Error", "Unknown", "UnknownError", "NotFound"]);

function codeOf(error: ServiceError): string {
  for (const name of [error.Code, error.code, error.name]) {
    if (name !== undefined && !NO_CODE.has(name)) return name;
  }
  return statusOf(error) === 403 ? "AccessDenied" : "";
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as ServiceError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** The one answer that means "absent" (R19). A HEAD has no body, so its 404 is not enough. */
export function isNoSuchKey(error: unknown): boolean {
  return codeOf(error as ServiceError) === "NoSuchKey" && statusOf(error) === 404;
}

export function isServiceCode(error: unknown, code: string): boolean {
  return codeOf(error as ServiceError) === code;
}

/** True for failures of the connection, which may pass. */
export function isNetworkFailure(error: unknown): boolean {
  const { code, name } = error as ServiceError;
  return NETWORK.has(code ?? "") || NETWORK.has(name ?? "");
}

export interface S3Place {
  /** The store's URL. */
  url: string;
  /** Empty for Amazon's own service. */
  endpoint: string;
}

/**
 * Turns an error of the SDK into one for the user. The SDK's error is not kept as the cause: its hidden parts hold
 * request headers, signatures among them.
 * @param action what was being done, as in "cannot <action>"
 */
export function s3Error(error: unknown, action: string, place: S3Place, signal: AbortSignal | undefined): ConvoyError {
  if (error instanceof ConvoyError) return error;
  if (signal?.aborted) return cancelled(signal);
  const failure = error as ServiceError;
  const status = statusOf(error);
  const code = codeOf(failure);
  const attempts = (failure.$metadata?.attempts ?? 1) > 1 ? ` after ${failure.$metadata?.attempts} attempts` : "";
  if (isNetworkFailure(error)) {
    const service = place.endpoint === "" ? "Amazon S3" : place.endpoint;
    const reason = NETWORK.has(failure.code ?? "") ? failure.code : failure.name;
    return new ConvoyError("UNREACHABLE", `Cannot ${action}: ${service} cannot be reached (${reason}${attempts})`, {
      hint: "Look after the network, the service, and the endpoint's address and port.",
    });
  }
  // Whatever was to be done comes to nothing: the key that happened to be the first says nothing to the user.
  if (failure.name === "CredentialsProviderError" || failure.name === "TokenProviderError") {
    return new ConvoyError("STORE_FAILED", `No AWS credentials for ${place.url} (${messageOf(error)})`, {
      hint: CREDENTIALS_HINT,
    });
  }
  if (status === undefined) {
    return new ConvoyError("STORE_FAILED", `Cannot ${action}: ${messageOf(error)}`, {
      hint: "If this goes on, look at the daemon's log and at the service.",
    });
  }
  return serviceError(failure, status, code, action, attempts);
}

function serviceError(
  failure: ServiceError,
  status: number,
  code: string,
  action: string,
  attempts: string,
): ConvoyError {
  const region = failure.$response?.headers?.["x-amz-bucket-region"];
  const known = code !== "" && /^[A-Za-z0-9]+$/.test(code) && !code.endsWith("Error");
  const says = failure.message !== undefined && failure.message !== code && !NO_CODE.has(failure.message);
  const text = says ? `${code}: ${failure.message}` : code;
  const what = known ? `${text} (HTTP ${status}${attempts})` : `HTTP ${status}${attempts}, no answer of an S3 service`;
  const hint =
    region !== undefined && status >= 300 && status < 400
      ? `The bucket lies in ${region}: write s3://bucket@${region}/path/.`
      : (HINTS[code] ??
        (known ? "Look up the code in the service's documentation." : "Look after the service and the endpoint."));
  const full = code === "QuotaExceeded" || status === 507;
  return new ConvoyError(full ? "NO_SPACE" : "STORE_FAILED", `Cannot ${action}: ${what}`, { hint });
}
