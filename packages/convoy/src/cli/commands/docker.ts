import { existsSync } from "node:fs";
import { isValidName } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";
import type { Command, Group } from "../command.ts";
import type { Arguments, Flag } from "../parse.ts";
import { removeSpecFile, type SpecFile, writeSpecFile } from "../spec-file.ts";

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

function force(help: string): Flag {
  return { name: "force", type: "boolean", help };
}

function specFileOf(socket: string, args: Arguments): SpecFile {
  const name = args.has("name") ? args.text("name") : "convoy";
  if (!isValidName(name)) {
    throw new ConvoyError("INVALID_NAME", `Invalid name ${name}`, {
      hint: 'The name of a plugin has at least 2 letters, digits, "_", "." or "-", and begins with a letter or digit.',
    });
  }
  return { directory: args.text("dir") || "/etc/docker/plugins", name, socket, force: args.on("force") };
}

const install: Command = {
  name: "install",
  summary: "tell Docker on this host where the daemon listens",
  positionals: [],
  details:
    "Writes the plugin's spec file and prints its path. Docker finds it without a restart. A file that names another\n" +
    "socket belongs to another daemon and is left alone unless --force is given.",
  flags: [...flags, force("replace a file that names another socket")],
  examples: [
    ["The daemon listens at its usual place", "convoy docker install"],
    ["Another socket, under another name", "convoy --socket /run/convoy2.sock docker install --name convoy2"],
  ],
  async run(context, args) {
    const spec = specFileOf(context.socket, args);
    const { file, former } = writeSpecFile(spec);
    if (former !== undefined) context.note(`note: ${file} named ${former} until now`);
    if (!existsSync(context.socket)) {
      context.note(
        `note: no daemon listens at ${context.socket} yet; until one does, Docker waits for it and then fails`,
      );
    }
    return { body: file, hint: `try \`docker run --rm -v vol1:/data --volume-driver=${spec.name} busybox ls /data\`` };
  },
};

const uninstall: Command = {
  name: "uninstall",
  summary: "remove what `install` wrote",
  positionals: [],
  details: "Removes the plugin's spec file if it names this socket. Volumes and the daemon are left as they are.",
  flags: [...flags, force("remove the file even if it names another socket")],
  examples: [["", "convoy docker uninstall"]],
  async run(context, args) {
    const { file, removed } = removeSpecFile(specFileOf(context.socket, args));
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
