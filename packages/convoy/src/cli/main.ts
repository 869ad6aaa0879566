import { runCommandLine } from "./program.ts";

/** Entry of the program `convoy`. Everything is written when the promise resolves, so exiting at once loses nothing. */
runCommandLine(process.argv.slice(2)).then((code) => process.exit(code));
