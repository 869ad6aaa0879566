import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../host/log.ts";
import { openStore } from "../open.ts";
import { type StoreUnderTest, storeContract } from "../store-contract.ts";
import { forgetful } from "./memory.fixture.ts";

async function directoryStore(parent: string): Promise<StoreUnderTest> {
  const path = await mkdtemp(join(parent, "convoy-store-"));
  return {
    open: () => openStore(`vfs://${path}/`, { endpoint: "", memory: forgetful(), log: silentLog() }),
    end: () => rm(path, { recursive: true }),
  };
}

storeContract("directory in the temporary directory", () => directoryStore(tmpdir()));
if (existsSync("/dev/shm")) storeContract("directory on tmpfs", () => directoryStore("/dev/shm"));
