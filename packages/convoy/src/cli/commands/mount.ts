import { resolve } from "node:path";
import { checkExistingNames } from "../checks.ts";
import type { Command } from "../command.ts";

export const mount: Command = {
  name: "mount",
  summary: "mount a volume on this host and print where",
  positionals: ["<name>"],
  details: "Mounting twice is a success. A mount by hand lasts until `convoy umount`, over a reboot of the host too.",
  flags: [
    {
      name: "mountpoint",
      type: "string",
      value: "DIR",
      help: "existing directory to mount at (devicemapper, ebs, digitalocean); without it the driver's own place",
    },
  ],
  examples: [
    ["At the driver's own place", "convoy mount vol1"],
    ["Copy something into it", 'cp -a /etc/motd "$(convoy mount vol1)"'],
    ["At a place of your choice", "convoy mount vol1 --mountpoint /mnt/vol1"],
  ],
  async run(context, args) {
    const [name = ""] = args.positionals;
    await checkExistingNames(context, "volume", [name]);
    const chosen = args.text("mountpoint");
    const data = {
      VolumeName: name,
      // The daemon runs in another directory: a relative path would mean another place there.
      MountPoint: chosen === "" ? "" : resolve(chosen),
      Verbose: context.verbose,
    };
    const body = await context.ask("POST", "/v1/volumes/mount", data);
    return { body, hint: `when you are done: \`${context.commandLine(`umount ${name}`)}\`` };
  },
};
