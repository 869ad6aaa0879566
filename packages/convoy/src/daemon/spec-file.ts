import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Dir } from "../host/dir.ts";

/**
 * Writes the file by which Docker finds the plugin (R30): after the socket listens, durable, left alone if it is right
 * already, and never removed by the daemon, because Docker retries while the file is there and fails at once without.
 * @param path absolute, `/etc/docker/plugins/<name>.spec`; the name is that of the driver in Docker.
 */
export async function writeSpecFile(path: string, socket: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const dir = await Dir.open(dirname(path));
  try {
    const content = `unix://${socket}\n`;
    const present = await dir.stat(basename(path));
    if (present?.isFile() && (await dir.readText(basename(path))) === content) return;
    await dir.write(basename(path), content);
  } finally {
    await dir.close();
  }
}
