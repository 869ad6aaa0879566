import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../host/log.ts";
import { RootState } from "../../host/root.ts";
import type { Driver } from "../driver.ts";
import type { DriverUnderTest } from "../driver-contract.ts";
import { openVfsDriver } from "./driver.ts";

/** A scratch directory with a tree of volumes and the roots of daemons that use it. For tests. */
export class Scratch {
  readonly path: string;
  readonly #open: { driver: Driver; root: RootState }[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  static async make(parent = tmpdir()): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(parent, "convoy-vfs-")));
  }

  get volumes(): string {
    return join(this.path, "volumes");
  }

  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Opens a driver as a daemon with root `name` would. */
  async driver(
    name = "root",
    extra: { takenOver?: boolean; initStore?: boolean; singleHost?: boolean; options?: [string, string][] } = {},
  ): Promise<Driver> {
    await mkdir(this.at(name), { recursive: true });
    const root = await RootState.open(this.at(name), extra.takenOver ?? false);
    const driver = await openVfsDriver({
      root,
      options: new Map(extra.options ?? [["vfs.path", this.volumes]]),
      initStore: extra.initStore ?? false,
      singleHost: extra.singleHost ?? false,
      log: silentLog(),
    });
    this.#open.push({ driver, root });
    await driver.commit?.();
    return driver;
  }

  async record(name: string): Promise<Record<string, unknown>> {
    return JSON.parse(await readFile(this.at("volumes", "config", `vfs_volume_${name}.json`), "utf8")) as Record<
      string,
      unknown
    >;
  }

  async writeRecord(name: string, content: object | string): Promise<void> {
    await mkdir(this.at("volumes", "config"), { recursive: true });
    const text = typeof content === "string" ? content : `${JSON.stringify(content)}\n`;
    await writeFile(this.at("volumes", "config", `vfs_volume_${name}.json`), text);
  }

  async remove(): Promise<void> {
    for (const { driver, root } of this.#open) {
      await driver.close();
      await root.close();
    }
    await rm(this.path, { recursive: true, force: true });
  }
}

/** The record that v0.5.2 writes for a volume. */
export function originalRecord(name: string, path: string, extra: object = {}): object {
  return {
    Name: name,
    Size: 0,
    Path: `${path}/${name}`,
    MountPoint: "",
    PrepareForVM: false,
    CreatedTime: "Fri Nov 20 06:50:37 +0000 2026",
    Snapshots: {},
    ...extra,
  };
}

export async function openForContract(parent?: string): Promise<DriverUnderTest> {
  const scratch = await Scratch.make(parent);
  return {
    driver: await scratch.driver("root1"),
    other: await scratch.driver("root2"),
    write: (mountPoint, file, text) => writeFile(join(mountPoint, file), text),
    read: (mountPoint, file) => readFile(join(mountPoint, file), "utf8"),
    close: () => scratch.remove(),
  };
}
