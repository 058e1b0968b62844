/**
 * Pictures of the pages with fixtures, in light, dark and on a phone: `npm run shots [-- name…]`, after
 * `npm run dev:mock -- --port 5199`. They go to test-results/shots, which git ignores.
 */
import { mkdir } from "node:fs/promises";
import { openBrowser } from "./browser.mjs";

const BASE = process.env.SHOTS_URL ?? "http://127.0.0.1:5199";
const OUT = new URL("../test-results/shots/", import.meta.url).pathname;
const LEDGER = "/infra/terraform/runs/run-01ka2mfz7h9c41ex";

async function seeThree(page) {
  for (let i = 0; i < 3; i += 1) await page.getByRole("checkbox", { name: /^Seen/ }).nth(i).check();
  await page.getByLabel("Type prod-payments-db").fill("prod-pay");
}

const SHOTS = [
  { name: "inbox-dark", path: "/", theme: "dark", size: [1440, 900] },
  { name: "inbox-light", path: "/", theme: "light", size: [1440, 900] },
  { name: "run-awaiting-approval-dark", path: LEDGER, theme: "dark", size: [1440, 1000], act: seeThree },
  { name: "run-awaiting-approval-light", path: LEDGER, theme: "light", size: [1440, 1000], act: seeThree },
  { name: "run-applying-dark", path: "/infra/terraform/runs/run-01ka2mfz8k9c4t00", theme: "dark", size: [1440, 1000] },
  { name: "run-log-light", path: `${LEDGER}?tab=log`, theme: "light", size: [1440, 1000] },
  { name: "run-policies-light", path: `${LEDGER}?tab=policies`, theme: "light", size: [1440, 1000] },
  { name: "run-timeline-light", path: `${LEDGER}?tab=timeline`, theme: "light", size: [1440, 1000] },
  { name: "run-phone-light", path: LEDGER, theme: "light", size: [390, 844] },
  { name: "inbox-phone-dark", path: "/", theme: "dark", size: [390, 844] },
  { name: "workspaces-light", path: "/infra/terraform", theme: "light", size: [1440, 900] },
  { name: "workspaces-phone-light", path: "/infra/terraform", theme: "light", size: [390, 844] },
  { name: "workspace-light", path: "/infra/terraform/workspaces/ws-prod-payments-db", theme: "light", size: [1440, 900] },
  { name: "workspace-variables-dark", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=variables", theme: "dark", size: [1440, 900] },
  { name: "workspace-state-light", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=state", theme: "light", size: [1440, 900] },
  { name: "state-compare-dark", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=state&a=sv-40&b=sv-44", theme: "dark", size: [1440, 900] },
  { name: "state-version-light", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=state&version=sv-43", theme: "light", size: [1440, 900] },
  { name: "state-quarantined-light", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=state&held=qs-1", theme: "light", size: [1440, 900] },
  { name: "state-orphaned-dark", path: "/infra/terraform/workspaces/ws-staging-network?tab=state", theme: "dark", size: [1440, 900] },
  { name: "recovery-list-light", path: "/infra/terraform/workspaces/ws-staging-network?tab=state&left=resources", theme: "light", size: [1440, 900] },
  { name: "recovery-list-dark", path: "/infra/terraform/workspaces/ws-staging-network?tab=state&left=resources", theme: "dark", size: [1440, 900] },
  { name: "state-overview-light", path: "/infra/terraform/state", theme: "light", size: [1440, 900] },
  { name: "workspace-settings-light", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=settings", theme: "light", size: [1440, 1100] },
  { name: "workspace-settings-dark", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=settings", theme: "dark", size: [1440, 1100] },
  { name: "workspace-settings-phone-light", path: "/infra/terraform/workspaces/ws-prod-payments-db?tab=settings", theme: "light", size: [390, 1500] },
  { name: "halt-dark", path: "/infra/terraform", theme: "dark", size: [1440, 900], act: (page) => page.getByRole("button", { name: "Halt" }).click() },
  { name: "palette-dark", path: "/", theme: "dark", size: [1440, 900], act: (page) => page.keyboard.press("Control+k") },
  { name: "infra-light", path: "/infra", theme: "light", size: [1440, 900] },
  { name: "stacks-light", path: "/infra/terraform/stacks", theme: "light", size: [1440, 900] },
  { name: "stack-diff-dark", path: "/infra/terraform/stacks/payments-db", theme: "dark", size: [1440, 900] },
  { name: "audit-light", path: "/audit", theme: "light", size: [1440, 900] },
  { name: "audit-export-dark", path: "/audit?action=run.*", theme: "dark", size: [1440, 900], act: (page) => page.getByRole("button", { name: "Export" }).click() },
  { name: "audit-phone-light", path: "/audit", theme: "light", size: [390, 844] },
  { name: "settings-dark", path: "/settings", theme: "dark", size: [1440, 900] },
  { name: "notifications-light", path: "/settings?tab=notifications", theme: "light", size: [1440, 900] },
  { name: "notifications-phone-light", path: "/settings?tab=notifications", theme: "light", size: [390, 844] },
  { name: "notification-dark", path: "/settings?tab=notifications&notification=nd-01oncall", theme: "dark", size: [1440, 900] },
  { name: "notification-disabled-light", path: "/settings?tab=notifications&notification=nd-01ledger", theme: "light", size: [1440, 900] },
  { name: "notification-phone-light", path: "/settings?tab=notifications&notification=nd-01oncall", theme: "light", size: [390, 844] },
  { name: "notification-form-light", path: "/settings?tab=notifications", theme: "light", size: [1440, 900], act: async (page) => { await page.getByRole("button", { name: "Add a destination" }).click(); await page.getByRole("button", { name: "Chosen" }).click(); } },
  { name: "notification-delivery-dark", path: "/settings?tab=notifications&notification=nd-01oncall", theme: "dark", size: [1440, 900], act: (page) => page.getByRole("button", { name: /^Delivery of/ }).first().click() },
  { name: "login-light", path: "/login", theme: "light", size: [1440, 900] },
];

const only = process.argv.slice(2);
const browser = await openBrowser();
await mkdir(OUT, { recursive: true });
for (const shot of SHOTS.filter((each) => only.length === 0 || only.some((name) => each.name.includes(name)))) {
  const context = await browser.newContext({ viewport: { width: shot.size[0], height: shot.size[1] }, colorScheme: shot.theme, reducedMotion: "reduce", timezoneId: "UTC" });
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(shot.name, error.message));
  page.on("console", (message) => message.type() === "error" && console.error(shot.name, message.text()));
  await page.goto(BASE + shot.path, { waitUntil: "networkidle" });
  await page.waitForTimeout(400);
  if (shot.act) await shot.act(page).catch((error) => console.error(shot.name, error.message.split("\n")[0]));
  await page.waitForTimeout(250);
  await page.screenshot({ path: `${OUT}${shot.name}.png` });
  console.log(shot.name);
  await context.close();
}
await browser.close();
