/**
 * Runs the browser tests, two files at a time: each has a Sluice and a browser of its own, and waits more than it works.
 * The longest come first, so that none is left to run alone at the end. Names of files on the command line choose some.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "node:test";
import { tap } from "node:test/reporters";
import { unpackBrowser } from "./browser.mjs";

const DIRECTORY = fileURLToPath(new URL("../../tests/browser/", import.meta.url));
const LONGEST = ["journey.test.mjs", "gate.test.mjs", "state.test.mjs"];
const AT_ONCE = 2;

const place = (name) => (LONGEST.includes(name) ? LONGEST.indexOf(name) : LONGEST.length);
const chosen = process.argv.slice(2);
const files = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith(".test.mjs") && (chosen.length === 0 || chosen.includes(name)))
  .sort((a, b) => place(a) - place(b));
if (files.length === 0) throw new Error(`No browser test is named ${chosen.join(", ")}`);

await unpackBrowser();
run({ files: files.map((name) => join(DIRECTORY, name)), concurrency: AT_ONCE })
  .on("test:fail", () => (process.exitCode = 1))
  .compose(tap)
  .pipe(process.stdout);
