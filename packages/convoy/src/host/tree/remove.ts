import { Dir } from "../dir.ts";
import type { OperationContext } from "../operation.ts";
import { type RemoveRequest, treeWorkers } from "./tasks.ts";

/**
 * Removes `name` and everything below it from an open directory, in a worker thread, durably. Links are removed and
 * not followed; absent is a success, so a removal that was interrupted can be repeated.
 * @throws VOLUME_BUSY at a mount below it (nothing of the mount is touched; what came before it is gone: look at the
 *   mount table first), CANCELLED, or an error of the system
 */
export function removeTree(parent: Dir, name: string, context: OperationContext): Promise<void> {
  return run({ parentFd: parent.fd, parentPath: parent.path, name }, context);
}

/**
 * Removes the content of a directory and leaves the directory itself, for example because it is a mount point.
 * Otherwise as `removeTree`.
 * @param path absolute, or `/proc/self/fd/N`
 */
export async function emptyTree(path: string, context: OperationContext): Promise<void> {
  const directory = await Dir.open(path);
  try {
    await run({ parentFd: directory.fd, parentPath: path }, context);
  } finally {
    await directory.close();
  }
}

function run(request: RemoveRequest, context: OperationContext): Promise<void> {
  return treeWorkers.run("remove", request, {
    signal: context.signal,
    progress: (progress) => context.progress(progress),
  });
}
