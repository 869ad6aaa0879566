import type { Flag } from "../parse.ts";

/** Every option of `convoy daemon`; those of v0.5.2 first, in its order. */
export function daemonFlags(logLevels: readonly string[]): Flag[] {
  return [
    { name: "debug", type: "boolean", help: "short for --log-level debug" },
    {
      name: "log",
      type: "string",
      value: "FILE",
      help: "append the log to this file, as JSON; else to standard error",
    },
    {
      name: "root",
      type: "string",
      value: "DIR",
      initial: "/var/lib/rancher/convoy",
      help: "state directory of the daemon",
    },
    {
      name: "drivers",
      type: "strings",
      value: "NAME",
      help: "driver to start; the first one is the default of `create`",
    },
    {
      name: "driver-opts",
      type: "strings",
      value: "KEY=VALUE",
      help: "option of a driver, for example vfs.path=/srv/convoy",
    },
    {
      name: "mnt-ns",
      type: "string",
      value: "FILE",
      help: "kept for drivers that mount: the namespace to mount in, for example /host/proc/1/ns/mnt; no effect with vfs",
    },
    { name: "ignore-docker-delete", type: "boolean", help: "keep volumes that Docker asks to remove" },
    {
      name: "create-on-docker-mount",
      type: "boolean",
      help: "make a volume that Docker asks to mount and that does not exist",
    },
    {
      name: "cmd-timeout",
      type: "string",
      value: "DURATION",
      help: "kept for drivers that run commands: the limit of each, at least one minute (5m, 1h30m); no effect with vfs",
    },
    {
      name: "ignore-config-file",
      type: "boolean",
      help: "take the daemon's options from the command line and save them; driver options stay as saved",
    },
    {
      name: "socket-group",
      type: "string",
      value: "GROUP",
      help: "let this group use the socket; its members are root on this host from then on",
    },
    { name: "log-level", type: "string", value: "LEVEL", choices: logLevels, initial: "info", help: "what is logged" },
    { name: "log-format", type: "string", value: "FORMAT", choices: ["text", "json"], help: "form of the log" },
    {
      name: "docker-scope",
      type: "string",
      value: "SCOPE",
      choices: ["local", "global"],
      initial: "local",
      help: "what Docker is told: volumes of this host, or of a whole cluster",
    },
    {
      name: "docker-remove",
      type: "strings",
      value: "[DRIVER=]WHAT",
      help: "what Docker's remove does: detach (the data stay and can be taken back) or delete; for all drivers or one",
    },
    {
      name: "docker-spec",
      type: "string",
      value: "FILE",
      help: "write this plugin spec file when the socket listens, for example /etc/docker/plugins/convoy.spec",
    },
    {
      name: "init-store",
      type: "boolean",
      help: "accept another disk at vfs.path than the one seen there before",
    },
    {
      name: "single-host",
      type: "boolean",
      help: "no other host uses vfs.path: allow delete and rename on mounts without network locks",
    },
  ];
}
