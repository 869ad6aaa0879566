import { randomInt } from "node:crypto";
import { silentLog } from "../../host/log.ts";
import { openStore } from "../open.ts";
import { forgetful } from "./memory.fixture.ts";

// A writer that is killed at any moment: node put-forever.fixture.ts <directory> <key> <times>
const [directory, key, times] = process.argv.slice(2);
const store = await openStore(`vfs://${directory}`, { endpoint: "", memory: forgetful(), log: silentLog() });
for (let round = 0; round < Number(times); round += 1) {
  const letter = String.fromCharCode(97 + (round % 26));
  const body = Buffer.alloc(randomInt(1, 4_000_000), letter);
  await store.put(key!, body);
  if (round === 0) process.stdout.write("first\n");
}
await store.close();
