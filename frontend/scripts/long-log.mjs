/**
 * How the page takes a long log: `SLUICE_URL=… SLUICE_TOKEN=… node scripts/long-log.mjs RUN` opens a run that has ended, reads
 * its log to the end, and prints one line of JSON: seconds to the first and the last line, the longest task that kept the page
 * from answering in each step (0: none of 50 ms), and the memory of the page in MB.
 */
/* global window, PerformanceObserver */
import { openBrowser } from "./browser.mjs";

const [, , run] = process.argv;
const { SLUICE_URL: url, SLUICE_TOKEN: token } = process.env;
if (!run || !url || !token) throw new Error("Give a run, and SLUICE_URL and SLUICE_TOKEN");
const browser = await openBrowser();
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
const page = await context.newPage();
page.setDefaultTimeout(300_000);
await page.addInitScript(() => {
  window.longest = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((each) => (window.longest = Math.max(window.longest, each.duration)))).observe({ entryTypes: ["longtask"] });
});
const found = { longest_task_ms: {} };

/** Does a step, and notes how long it kept the page from answering. */
async function step(name, act) {
  await page.evaluate(() => (window.longest = 0));
  await act();
  await page.waitForTimeout(150);
  found.longest_task_ms[name] = Math.round(await page.evaluate(() => window.longest));
}

const begun = Date.now();
const seconds = () => Number(((Date.now() - begun) / 1000).toFixed(1));
await page.goto(`${url}/infra/terraform/runs/${run}?tab=apply`);
const status = page.getByText(/ lines?, /).first();
await status.waitFor();
found.first_line_seconds = seconds();
await step("loading", async () => {
  for (let last = ""; last !== (last = await status.textContent()); ) {
    found.last_line_seconds = seconds();
    await page.waitForTimeout(2_000);
  }
});
found.said = await status.textContent();
const lines = page.getByRole("group", { name: "Lines of the log" });
const longest = () => page.locator("button[aria-expanded=false]").filter({ hasText: /lines/ }).first();
if (await longest().count()) await step("open a phase", () => longest().click());
await lines.focus();
await step("to the end", () => page.keyboard.press("End"));
await step("to the start", () => page.keyboard.press("Home"));
await step("scroll by wheel", async () => {
  const box = await lines.boundingBox();
  await page.mouse.move(box.x + 200, box.y + 200);
  for (let i = 0; i < 60; i += 1) await page.mouse.wheel(0, 3_000);
});
await step("search, letter by letter", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type(process.env.NEEDLE ?? "777777");
});
await step("next hit", () => page.keyboard.press("Enter"));
const cdp = await context.newCDPSession(page);
await cdp.send("HeapProfiler.collectGarbage");
await cdp.send("Performance.enable");
const { metrics } = await cdp.send("Performance.getMetrics");
found.heap_mb = Math.round(metrics.find((each) => each.name === "JSHeapUsedSize").value / 1e6);
await browser.close();
process.stdout.write(`${JSON.stringify(found)}\n`);
