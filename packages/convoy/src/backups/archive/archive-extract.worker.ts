import type { MessagePort } from "node:worker_threads";
import { ConvoyError } from "../../errors.ts";
import { serveTasks } from "../../host/workers/index.ts";
import { TreeWriter } from "./extract/tree-writer.ts";
import { release } from "./release.ts";
import { TarReader } from "./tar/reader.ts";

export interface ExtractInput {
  /** Descriptor of the empty directory to fill. */
  root: number;
  reserveBytes: number;
  /** The tar stream in pieces; null is its end. Closed early, the work stops. */
  port: MessagePort;
}

export interface ExtractOutput {
  entries: number;
  /** Bytes of file data, holes not counted. */
  bytes: number;
}

/** Writes a tar stream to a directory. Each piece taken is reported with the bytes of file data written so far. */
export type ExtractTasks = {
  extract: { input: ExtractInput; output: ExtractOutput; progress: number };
};

serveTasks<ExtractTasks>({
  async extract({ root, reserveBytes, port }, context) {
    const writer = new TreeWriter(root, reserveBytes);
    const reader = new TarReader(writer);
    try {
      await new Promise<void>((resolve, reject) => {
        let stopped = false;
        port.on("message", (piece: Uint8Array<ArrayBuffer> | null) => {
          // Pieces that were on their way when one failed.
          if (stopped) return;
          try {
            context.throwIfCancelled();
            if (piece === null) resolve();
            else {
              reader.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
              release(piece);
              context.progress(writer.bytes);
            }
          } catch (error) {
            stopped = true;
            reject(error);
          }
        });
        port.on("close", () => {
          stopped = true;
          reject(new ConvoyError("CANCELLED", "The operation was cancelled"));
        });
      });
      reader.end();
      writer.finish();
      return { entries: writer.entries, bytes: writer.bytes };
    } finally {
      writer.close();
      port.close();
    }
  },
});
