import { type ErrorCode, isValidName } from "node-convoy/wire";
import { ConvoyError, isConvoyError } from "../../errors.ts";
import { logFailure, toConvoyError } from "../../host/failure-log.ts";
import type { Logger } from "../../host/log.ts";
import type { VolumesApi } from "../../volumes/api.ts";
import { encode } from "../encode.ts";
import { withLimit } from "../limit.ts";
import type { Reply } from "../reply.ts";
import type { Route, RouteRequest } from "../route.ts";
import { DOCKER_LIMIT_MS, DockerMounts } from "./mounts.ts";
import { createRequestOf } from "./options.ts";
import { type PluginRequest, pluginRequestOf } from "./request.ts";
import { inspectedVolume, listedVolume } from "./volume.ts";

export interface DockerSettings {
  /** Remove answers success and does nothing. */
  ignoreDelete: boolean;
  /** Mount of an unknown volume creates it. */
  createOnMount: boolean;
  scope: "local" | "global";
}

/** Docker waits one minute for the calls that only read. */
const READ_LIMIT_MS = 50_000;

/** The volume plugin protocol of Docker Engine: status 200 always, failures in `Err`. */
export function dockerRoutes(volumes: VolumesApi, settings: DockerSettings, log: Logger): Route[] {
  const mounts = new DockerMounts(volumes, log);

  const create = async ({ name, opts }: PluginRequest) => {
    if (!isValidName(name)) throw invalidName(name);
    let request: ReturnType<typeof createRequestOf>;
    try {
      request = createRequestOf(name, opts);
    } catch (error) {
      // Docker creates what exists already when two of its requests cross: v0.5.2 compared no options then.
      if ((await volumes.find(name)) !== undefined) return;
      throw error;
    }
    const { warnings } = await volumes.createForDocker(request);
    for (const warning of warnings) log.warn({ volume: name }, warning);
  };

  const found = async (name: string, absent: string) => {
    const volume = await volumes.find(name);
    if (volume === undefined) throw new ConvoyError("VOLUME_NOT_FOUND", absent);
    return volume;
  };

  const mount = async (request: PluginRequest) => {
    if (settings.createOnMount && (await volumes.find(request.name)) === undefined) await create(request);
    try {
      return { Mountpoint: await mounts.mount(request.name, request.id) };
    } catch (error) {
      if (isConvoyError(error, "VOLUME_NOT_FOUND")) throw absentForMount(error);
      throw error;
    }
  };

  const umount = async ({ name, id }: PluginRequest) => {
    try {
      await volumes.umountForDocker(name, id);
    } catch (error) {
      if (!isConvoyError(error, "VOLUME_NOT_FOUND")) throw error;
    }
  };

  /** A call that reads its body; what it returns is the answer, nothing means `{}`. */
  const call = (name: string, limitMs: number, handler: (request: PluginRequest) => Promise<unknown>) =>
    route(`VolumeDriver.${name}`, log, async (request) => {
      const decoded = await pluginRequestOf(request);
      request.subject.volume = decoded.name;
      const message = `${name} of volume ${decoded.name} still runs after ${limitMs / 1000} s; it goes on`;
      return withLimit(handler(decoded), limitMs, message, "Look at the daemon's log, then try again.");
    });

  return [
    route("Plugin.Activate", log, async () => ({ Implements: ["VolumeDriver"] })),
    route("VolumeDriver.Capabilities", log, async () => ({ Capabilities: { Scope: settings.scope } })),
    route("VolumeDriver.List", log, async () => {
      const listed = await withLimit(volumes.list(), READ_LIMIT_MS, "Listing the volumes takes too long");
      return { Volumes: listed.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(listedVolume) };
    }),
    call("Create", DOCKER_LIMIT_MS + 5_000, create),
    settings.ignoreDelete
      ? route("VolumeDriver.Remove", log, async () => ({}))
      : call("Remove", DOCKER_LIMIT_MS, ({ name }) => volumes.removeForDocker(name)),
    call("Mount", DOCKER_LIMIT_MS + 5_000, mount),
    call("Unmount", DOCKER_LIMIT_MS, umount),
    call("Path", READ_LIMIT_MS, async ({ name }) => {
      const { mountPoint } = await found(name, "Couldn't find volume.");
      return { Mountpoint: mountPoint || undefined };
    }),
    call("Get", READ_LIMIT_MS, async ({ name }) => ({
      Volume: inspectedVolume(await found(name, `Could not find volume ${name}.`)),
    })),
  ];
}

function invalidName(name: string): ConvoyError {
  return new ConvoyError(
    "INVALID_NAME",
    `Invalid volume name ${name}. Can only contain 0-9, a-z, dash(-), underscore(_) and dot(.)`,
    { hint: "Upper case is allowed too; two characters are needed, and the first has to be a letter or a digit." },
  );
}

function absentForMount(cause: ConvoyError): ConvoyError {
  return new ConvoyError("VOLUME_NOT_FOUND", "Couldn't find volume.", { cause });
}

function route(name: string, log: Logger, handler: (request: RouteRequest) => Promise<unknown>): Route {
  return {
    method: "POST",
    path: `/${name}`,
    versioned: false,
    handle: async (request) => {
      try {
        return pluginReply((await handler(request)) ?? {});
      } catch (thrown) {
        logFailure(log, thrown, { operation: name, ...request.subject });
        return pluginReply({ Err: textFor(toConvoyError(thrown)) });
      }
    },
  };
}

/** Errors that v0.5.2 had too keep its text alone. */
const AS_BEFORE: readonly ErrorCode[] = [
  "VOLUME_NOT_FOUND",
  "VOLUME_MOUNTED",
  "VOLUME_EXISTS",
  "INVALID_NAME",
  "INVALID_URL",
  "DRIVER_NOT_FOUND",
  "BACKUP_NOT_FOUND",
];

/** `Err` is all that Docker's user gets to see, so what to do next has to stand in it. */
function textFor(error: ConvoyError): string {
  if (error.hint === undefined || AS_BEFORE.includes(error.code)) return error.message;
  return `${error.message.replace(/[.\s]+$/, "")}. ${error.hint}`;
}

function pluginReply(value: unknown): Reply {
  return { status: 200, contentType: "application/vnd.docker.plugins.v1.2+json", body: encode(value) };
}
