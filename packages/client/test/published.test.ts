import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleClient } from "../../../scripts/build/client.ts";
import { writeFiles } from "../../../scripts/build/files.ts";

/** A program of somebody else, which has the package in its node_modules. */
const client = fileURLToPath(new URL("..", import.meta.url));
const compiler = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));
const types = fileURLToPath(new URL("../../../node_modules/@types", import.meta.url));
let program: string;

beforeAll(async () => {
  writeFiles(join(client, "dist"), await bundleClient(client));
  program = mkdtempSync(join(tmpdir(), "convoy-consumer-"));
  mkdirSync(join(program, "node_modules"));
  symlinkSync(client, join(program, "node_modules/node-convoy"));
  symlinkSync(types, join(program, "node_modules/@types"));
});
afterAll(() => rmSync(program, { recursive: true, force: true }));

function run(file: string, source: string): string {
  writeFileSync(join(program, file), source);
  return execFileSync(process.execPath, [join(program, file)], { encoding: "utf8", env: {} });
}

test("require gives the class itself, with the rest as its properties", () => {
  const answer = run(
    "a.cjs",
    `const Convoy = require("node-convoy");
     console.log(new Convoy().socketPath, Convoy.Convoy === Convoy, typeof Convoy.ConvoyClientError, Convoy.parseSize("1k"));`,
  );
  expect(answer).toBe("/var/run/convoy/convoy.sock true function 1024\n");
});

test("import gives the class by name and by default, and the wire contract on its own", () => {
  const answer = run(
    "b.mjs",
    `import Default, { Convoy, ConvoyClientError } from "node-convoy";
     import { isValidName } from "node-convoy/wire";
     console.log(new Convoy("/x").socketPath, Default === Convoy, typeof ConvoyClientError, isValidName("vol1"));`,
  );
  expect(answer).toBe("/x true function true\n");
});

test("the published types fit both forms, promises and callbacks", () => {
  writeFileSync(
    join(program, "c.cts"),
    `import Convoy = require("node-convoy");
     const convoy = new Convoy("/x", { timeoutMs: 5 });
     convoy.volumeCreate({ Name: "vol1", Size: "40G" }, (error, volume) => {
       const status: number | undefined = error?.status;
       const name: string | undefined = volume?.Name;
       console.log(status, name, error instanceof Convoy.ConvoyClientError);
     });
     const record: Promise<Convoy.VolumeRecord> = convoy.volumeInspect({ VolumeName: "vol1" });
     record.catch(() => {});`,
  );
  writeFileSync(
    join(program, "d.mts"),
    `import { Convoy, type VolumeRecord } from "node-convoy";
     import { ERROR_CODES, type ErrorCode } from "node-convoy/wire";
     const code: ErrorCode = "VOLUME_EXISTS";
     const made: Promise<VolumeRecord> = new Convoy().volumeCreate({ Size: 1024 }, { signal: AbortSignal.timeout(5) });
     // @ts-expect-error a field that no request has
     new Convoy().volumeDelete({ Volume: "vol1" });
     console.log(ERROR_CODES[code], made);`,
  );
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
  expect(() =>
    execFileSync(process.execPath, [compiler, ...options, "c.cts", "d.mts"], {
      cwd: program,
      stdio: "pipe",
      encoding: "utf8",
    }),
  ).not.toThrow();
});
