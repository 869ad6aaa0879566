import { serveTasks } from "../workers/serve.ts";
import { assist } from "./assistant.ts";
import { remove } from "./remove-walk.ts";
import { snapshot } from "./snapshot-walk.ts";
import type { TreeTasks } from "./tasks.ts";

serveTasks<TreeTasks>({ snapshot, assist, remove });
