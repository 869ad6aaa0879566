import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnKeeper } from "./keeper.ts";
import { runDirectory } from "./run-scope.ts";

/** A real S3 server (Ceph radosgw with one monitor and one OSD in memory) on the loopback interface. */
export interface S3Lab {
  /** For `--s3-endpoint`. */
  endpoint: string;
  port: number;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  /** Environment of a program that is to use this server. */
  environment: Record<string, string>;
  /** Makes an empty bucket with a name of its own and gives the name. */
  makeBucket(): Promise<string>;
}

const LIMIT_SECONDS = 150;

/**
 * The S3 server of this test run: the first caller starts it (12-15 s), the others share it; it ends with the run.
 * Ask `requireOrSkip("radosgw")` first.
 */
export async function s3Lab(): Promise<S3Lab> {
  const directory = runDirectory("s3");
  try {
    await mkdir(directory, { mode: 0o700 });
    spawnKeeper(join(import.meta.dirname, "s3-cluster.ts"), directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const { port } = await whenReady(directory);
  const endpoint = `http://127.0.0.1:${port}`;
  const accessKeyId = "AKTEST";
  const secretAccessKey = "SKTEST";
  const region = "us-east-1";
  return {
    endpoint,
    port,
    accessKeyId,
    secretAccessKey,
    region,
    environment: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      // Nobody may be asked for credentials outside this machine.
      AWS_EC2_METADATA_DISABLED: "true",
    },
    makeBucket: () => makeBucket(endpoint, { accessKeyId, secretAccessKey }, region),
  };
}

async function whenReady(directory: string): Promise<{ port: number }> {
  const until = performance.now() + LIMIT_SECONDS * 1000;
  while (performance.now() < until) {
    const ready = join(directory, "ready.json");
    if (existsSync(ready)) return JSON.parse(readFileSync(ready, "utf8"));
    const failed = join(directory, "failed.txt");
    if (existsSync(failed)) throw new Error(`lab: the S3 server did not start: ${readFileSync(failed, "utf8")}`);
    await sleep(100);
  }
  throw new Error(`lab: the S3 server was not ready after ${LIMIT_SECONDS} s; see ${directory}/log`);
}

async function makeBucket(
  endpoint: string,
  credentials: { accessKeyId: string; secretAccessKey: string },
  region: string,
): Promise<string> {
  const { S3Client, CreateBucketCommand } = await import("@aws-sdk/client-s3");
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    const Bucket = `lab-${randomBytes(6).toString("hex")}`;
    await client.send(new CreateBucketCommand({ Bucket }), { abortSignal: AbortSignal.timeout(30_000) });
    return Bucket;
  } finally {
    client.destroy();
  }
}
