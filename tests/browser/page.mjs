/** A browser page that notes every error, checks accessibility, and takes pictures. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./sluice.mjs";

const AXE = readFileSync(join(ROOT, "frontend", "node_modules", "axe-core", "axe.min.js"), "utf8");
const PICTURES = join(ROOT, "frontend", "test-results", "browser");
mkdirSync(PICTURES, { recursive: true });

/** Opens a page; `page.troubles` holds what went wrong in it and was not expected. */
export async function openPage(browser, { theme = "light", width = 1440, height = 900, storageState } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: "reduce", ...(storageState ? { storageState } : {}) });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => undefined);
  const page = await context.newPage();
  page.setDefaultTimeout(40_000);
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.troubles.push(message.text()));
  return page;
}

export async function picture(page, name) {
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** Fails with the rule, the element and the remedy of everything that axe finds. */
export async function assertAccessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const result = await window.axe.run(document, { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } });
    return result.violations.map((each) => `${each.id} (${each.impact}): ${each.help}\n    ${each.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)}\n      ${(node.failureSummary ?? "").replaceAll("\n", " ")}`).join("\n    ")}`);
  });
  assert.deepEqual(found, [], `accessibility of ${where}:\n${found.join("\n")}`);
}

/** Nothing may stand out of the window sideways. */
export async function assertNoSideways(page, where) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(over <= 0, `${where} is ${over} px wider than the window`);
}
