import { setPriority } from "node:os";
import { serveTasks } from "../../host/workers/index.ts";
import { inflateMember } from "./gzip/inflate.ts";
import { release } from "./release.ts";
import { makePiece } from "./write/make-piece.ts";
import type { FileSlice, PieceInput, PieceOutput } from "./write/piece.ts";
import { sparseRanges } from "./write/sparse-ranges.ts";

/** Work on single pieces of an archive; no task knows of another. */
export type PieceTasks = {
  makePiece: { input: PieceInput; output: PieceOutput; progress: never };
  sparseRanges: {
    input: { root: number; file: Pick<FileSlice, "path" | "size" | "mtimeNs"> };
    output: Float64Array;
    progress: never;
  };
  inflateMember: {
    input: { member: Uint8Array<ArrayBuffer>; where: string };
    output: Uint8Array<ArrayBuffer>;
    progress: never;
  };
};

// On Linux this is the thread's own priority: requests and the rest of the machine go before compression.
setPriority(15);

serveTasks<PieceTasks>({
  makePiece(input, context) {
    const output = makePiece(input);
    release(input.inline);
    context.transfer.push(output.compressed.buffer, output.digests.buffer);
    return output;
  },
  sparseRanges: ({ root, file }) => sparseRanges(root, file),
  inflateMember({ member, where }, context) {
    const data = inflateMember(Buffer.from(member.buffer, member.byteOffset, member.length), where);
    release(member);
    // A small result may lie in the common pool, which cannot be moved to another thread.
    const output = data.length <= Buffer.poolSize ? new Uint8Array(data) : (data as Uint8Array<ArrayBuffer>);
    context.transfer.push(output.buffer);
    return output;
  },
});
