import { existsSync } from "node:fs";
import { isValidName } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";
import type { Command, Group } from "../command.ts";
import type { Arguments, Flag } from "../parse.ts";
import { removeSpecFile, writeSpecFile } from "../spec-file.ts";

const flags: readonly Flag[] = [
  {
    name: "name",
    type: "string",
    value: "NAME",
    initial: "convoy",
    help: "name of the plugin, as in `docker run --volume-driver=NAME`",
  },
  {
    name: "dir",
    type: "string",
    value: "DIR",
    initial: "/etc/docker/plugins",
    help: "directory where Docker looks for plugins",
  },
];

function placeOf(args: Arguments): { directory: string; name: string } {
  const name = args.has("name") ? args.text("name") : "convoy";
  if (!isValidName(name)) {
    throw new ConvoyError("INVALID_NAME", `Invalid name ${name}`, {
      hint: 'The name of a plugin has at least 2 letters, digits, "_", "." or "-", and begins with a letter or digit.',
    });
  }
  return { directory: args.text("dir") || "/etc/docker/plugins", name };
}

const install: Command = {
  name: "install",
  summary: "tell Docker on this host where the daemon listens",
  positionals: [],
  details: "Writes the plugin's spec file and prints its path. Docker finds it without a restart.",
  flags,
  examples: [
    ["The daemon listens at its usual place", "convoy docker install"],
    ["Another socket, under another name", "convoy --socket /run/convoy2.sock docker install --name convoy2"],
  ],
  async run(context, args) {
    const { directory, name } = placeOf(args);
    const { file, former } = writeSpecFile(directory, name, context.socket);
    if (former !== undefined) context.note(`note: ${file} named ${former} until now`);
    if (!existsSync(context.socket)) {
      context.note(
        `note: no daemon listens at ${context.socket} yet; until one does, Docker waits for it and then fails`,
      );
    }
    return { body: file, hint: `try \`docker run --rm -v vol1:/data --volume-driver=${name} busybox ls /data\`` };
  },
};

const uninstall: Command = {
  name: "uninstall",
  summary: "remove what `install` wrote",
  positionals: [],
  details: "Removes the plugin's spec file. Volumes and the daemon are left as they are.",
  flags,
  examples: [["", "convoy docker uninstall"]],
  async run(context, args) {
    const { directory, name } = placeOf(args);
    const { file, removed } = removeSpecFile(directory, name);
    if (!removed) context.note(`note: there was no ${file}`);
    return { body: removed ? file : "", text: () => (removed ? `Removed: ${file}` : "") };
  },
};

export const docker: Group = {
  name: "docker",
  summary: "register the daemon with Docker on this host",
  flags: [],
  commands: [install, uninstall],
};
