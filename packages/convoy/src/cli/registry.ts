import type { Command, Group } from "./command.ts";
import { backup } from "./commands/backup.ts";
import { create } from "./commands/create.ts";
import { daemon } from "./commands/daemon.ts";
import { deleteCommand } from "./commands/delete.ts";
import { docker } from "./commands/docker.ts";
import { info } from "./commands/info.ts";
import { inspect } from "./commands/inspect.ts";
import { list } from "./commands/list.ts";
import { mount } from "./commands/mount.ts";
import { rename } from "./commands/rename.ts";
import { snapshot } from "./commands/snapshot.ts";
import { umount } from "./commands/umount.ts";
import { version } from "./commands/version.ts";

/** Every command, in the order of the help. */
export const COMMANDS: readonly (Command | Group)[] = [
  daemon,
  info,
  create,
  deleteCommand,
  mount,
  umount,
  list,
  inspect,
  rename,
  snapshot,
  backup,
  docker,
  version,
];
