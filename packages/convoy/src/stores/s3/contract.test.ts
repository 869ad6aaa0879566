import { describe } from "vitest";
import { requireOrSkip } from "../../../../../test/lab/apt.ts";
import { s3Lab } from "../../../../../test/lab/s3.ts";
import { silentLog } from "../../host/log.ts";
import { forgetful } from "../directory/memory.fixture.ts";
import { openStore } from "../open.ts";
import { storeContract } from "../store-contract.ts";

describe.skipIf(await requireOrSkip("radosgw"))("S3 by Ceph radosgw", () => {
  for (const [name, path] of [
    ["s3 below a prefix", "/some/path/"],
    ["s3 at the bucket's root", "/"],
  ] as const) {
    storeContract(name, async () => {
      const lab = await s3Lab();
      Object.assign(process.env, lab.environment);
      const url = `s3://${await lab.makeBucket()}@${lab.region}${path}`;
      return {
        open: () => openStore(url, { endpoint: lab.endpoint, memory: forgetful(), log: silentLog() }),
        end: async () => undefined,
      };
    });
  }
});
