import type { DriverInfo, InfoDocument } from "node-convoy";
import { listing } from "../table.ts";
import { driverText } from "./volumes.ts";

/** `convoy info` for people. */
export function infoText(info: InfoDocument): string {
  const { General: general, ...drivers } = info;
  const yesNo = (value: boolean): string => (value ? "yes" : "no");
  const parts = [
    listing([
      ["Daemon version", general.Version],
      ["State directory", general.Root],
      ["Drivers", general.DriverList?.join(", ") || "none"],
      ["Default driver", general.DefaultDriver],
      ["Mount namespace", general.MountNamespaceFD],
      ["Docker's remove is ignored", yesNo(general.IgnoreDockerDelete)],
      ["Docker's mount creates", yesNo(general.CreateOnDockerMount)],
      ["Limit for commands", general.CmdTimeout],
    ]),
    ...Object.entries(drivers).map(([name, fields]) => `Driver ${name}\n${driverText(fields as DriverInfo)}`),
  ];
  return parts.join("\n\n");
}
