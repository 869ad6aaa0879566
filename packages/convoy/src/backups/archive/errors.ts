import { ConvoyError } from "../../errors.ts";

/** Bytes of a name as a person reads them in a message. */
export function shown(name: Uint8Array): string {
  return JSON.stringify(Buffer.from(name).toString("utf8"));
}

/** The archive's bytes are not what was written: truncated, bits flipped, or never an archive. */
export function damaged(detail: string, cause?: unknown): ConvoyError {
  return new ConvoyError("BACKUP_DAMAGED", `The backup's archive is damaged: ${detail}`, {
    hint: "Nothing of it was kept. Restore another backup, or another copy of this one.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The archive is well formed but asks for something that no backup of a volume asks for (R27). */
export function hostile(detail: string): ConvoyError {
  return new ConvoyError("FORGED", `The backup's archive was refused: ${detail}`, {
    hint: "No volume was made of it. Find out who wrote this archive before using anything else from that place.",
  });
}
