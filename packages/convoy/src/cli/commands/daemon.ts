import type { DaemonOptions } from "../../daemon/options.ts";
import type { Command } from "../command.ts";
import type { Arguments } from "../parse.ts";
import { daemonFlags } from "./daemon-flags.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const satisfies DaemonOptions["logLevel"][];

export const daemon: Command = {
  name: "daemon",
  summary: "run the daemon in the foreground",
  positionals: [],
  details:
    "Listens on the socket of the global option --socket. The options are kept in <root>/convoy.cfg; at the next start\n" +
    "the file wins over the command line (a difference is reported) unless --ignore-config-file is given.\n" +
    "Whoever may use the socket is root on this host.",
  flags: daemonFlags(LEVELS),
  examples: [
    ["Volumes are directories in /srv/convoy", "convoy daemon --drivers vfs --driver-opts vfs.path=/srv/convoy"],
    [
      "As a service, registered with Docker, with a log in JSON",
      "convoy daemon --drivers vfs --driver-opts vfs.path=/srv/convoy --docker-spec /etc/docker/plugins/convoy.spec --log-format json",
    ],
    ["Change saved options", "convoy daemon --ignore-config-file --drivers vfs --docker-remove detach"],
  ],
  async run(context, args) {
    // Loaded on demand: no other command may pay for it.
    const { runDaemon } = await import("../../daemon/main.ts");
    return runDaemon(daemonOptions(context.socket, args));
  },
};

/** The options as the daemon takes them. Values are checked there, where the saved ones are known as well. */
export function daemonOptions(socket: string, args: Arguments): DaemonOptions {
  const optional = (flag: string): string | undefined => (args.has(flag) ? args.text(flag) : undefined);
  const log = optional("log");
  const socketGroup = optional("socket-group");
  const dockerSpec = optional("docker-spec");
  const level = LEVELS.find((candidate) => candidate === args.text("log-level"));
  const format = args.has("log-format") ? args.text("log-format") : log === undefined ? "text" : "json";
  return {
    socket,
    root: optional("root") ?? "/var/lib/rancher/convoy",
    ...(log === undefined ? {} : { log }),
    logLevel: level ?? (args.on("debug") ? "debug" : "info"),
    logFormat: format === "json" ? "json" : "text",
    drivers: args.texts("drivers"),
    driverOpts: args.texts("driver-opts"),
    mntNs: args.text("mnt-ns"),
    ignoreDockerDelete: args.on("ignore-docker-delete"),
    createOnDockerMount: args.on("create-on-docker-mount"),
    cmdTimeout: args.text("cmd-timeout"),
    ignoreConfigFile: args.on("ignore-config-file"),
    ...(socketGroup === undefined ? {} : { socketGroup }),
    dockerScope: args.text("docker-scope") === "global" ? "global" : "local",
    dockerRemove: args.texts("docker-remove"),
    ...(dockerSpec === undefined ? {} : { dockerSpec }),
    initStore: args.on("init-store"),
    singleHost: args.on("single-host"),
    given: args.given,
  };
}
