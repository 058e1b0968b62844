/**
 * The main job in a real browser, against a whole Sluice: the one-time link, the inbox, the waiting run, approve, watch
 * the apply, outputs, state version 1; then the friction of a destroy, the halt, and a proxy that breaks WebSockets.
 * The tests follow each other, as a person's day does.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openBrowser } from "../../frontend/scripts/browser.mjs";
import { assertAccessible, assertNoSideways, openPage, picture } from "./page.mjs";
import { apiOf, startSluice } from "./sluice.mjs";

let up;
let api;
let browser;
let page;
let state;

before(async () => {
  [up, browser] = await Promise.all([startSluice(), openBrowser()]);
  api = apiOf(up);
  page = await openPage(browser, { theme: "dark", height: 1000 });
});

after(async () => {
  await browser?.close();
  await up?.stop();
});

// Errors in the page fail the test in which they were.
afterEach(() => assert.deepEqual(page.troubles.splice(0), []));

/** Waits until a run is in one of the statuses, and returns it. */
async function runIn(id, statuses, withinMs = 60_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    const run = await api("GET", `/terraform/runs/${id}`);
    if (statuses.includes(run.status)) return run;
    assert.ok(Date.now() < end, `${id} is ${run.status} (${run.status_reason}), not one of ${statuses}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const idOf = (url) => /runs\/(run-[^/?]+)/.exec(url)?.[1];

test("the one-time link logs in and lands in the inbox, where the first plan waits", async () => {
  await page.goto(up.login_url);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  await page.getByRole("heading", { name: /Awaiting your approval/ }).waitFor();
  state = await page.context().storageState();
  const cookie = state.cookies.find((each) => each.name === "sluice_session");
  assert.ok(cookie?.httpOnly && cookie.sameSite === "Lax", "the session is an HttpOnly, SameSite=Lax cookie");
  await assertAccessible(page, "the inbox");
  await picture(page, "inbox-dark");
});

test("the link is good once", async () => {
  const other = await openPage(browser);
  await other.goto(up.login_url);
  await other.getByRole("alert").waitFor();
  await assertAccessible(other, "a used link");
  await other.context().close();
});

test("the run page says what the plan does, and that four-eyes is off", async () => {
  await page.keyboard.press("Enter");
  await page.getByText("Awaiting approval").first().waitFor();
  await page.getByText("Four-eyes is off in this workspace").waitFor();
  await page.getByRole("heading", { name: "Plan fingerprint" }).waitFor();
  const run = await api("GET", `/terraform/runs/${idOf(page.url())}`);
  await page.getByRole("button", { name: `Approve, create ${run.summary.add}` }).waitFor();
  const plan = await api("GET", `/terraform/runs/${run.id}/plan`);
  assert.equal(await page.getByRole("button", { name: /create.*terraform_data/ }).count(), plan.resources.length);
  await assertAccessible(page, "a run that waits");
  await picture(page, "run-awaiting-approval-dark");
});

test("values that are sensitive never reach the page", async () => {
  await page.keyboard.press("z");
  await page.keyboard.press("z");
  const plan = await api("GET", `/terraform/runs/${idOf(page.url())}/plan`);
  const hidden = plan.resources.flatMap((each) => each.attributes).filter((each) => each.after_sensitive);
  assert.ok(hidden.length > 0, "the demo has a sensitive value");
  assert.ok(hidden.every((each) => each.after === null), "the API gives none of them");
});

test("approve: the apply runs before one's eyes and leaves outputs and state version 1", async () => {
  const id = idOf(page.url());
  await page.getByRole("button", { name: /^Approve/ }).click();
  await page.getByRole("progressbar", { name: "Resources applied" }).waitFor();
  await page.getByText("State version 1, serial 1, is stored").waitFor({ timeout: 60_000 });
  const run = await runIn(id, ["applied"]);
  await page.getByText(`${run.summary.add} of ${run.summary.add}`).first().waitFor();
  await page.getByRole("link", { name: "State version 1" }).waitFor();
  await page.getByText(/lines, none missing/).waitFor();
  await page.getByRole("heading", { name: "Verified before the first change" }).waitFor();
  const outputs = await api("GET", `/terraform/state-versions/${run.state_version.id}/outputs`);
  const open = outputs.find((each) => !each.sensitive && typeof each.value === "string");
  await page.getByText(open.value).first().waitFor();
  await assertAccessible(page, "an applied run");
  await picture(page, "run-applied-dark");
});

test("every part of the run has an address of its own", async () => {
  const id = idOf(page.url());
  for (const [tab, seen] of [["changes", /terraform_data/], ["policies", /Checked after the plan/], ["log", /none missing/], ["outputs", /As applied/], ["timeline", /Approved; the apply was queued/]]) {
    await page.goto(`${up.url}/infra/terraform/runs/${id}?tab=${tab}`);
    await page.getByText(seen).first().waitFor();
    await assertAccessible(page, `the run's ${tab}`);
    await picture(page, `run-${tab}-dark`);
  }
});

test("the apply's own address shows it within its run", async () => {
  const id = idOf(page.url());
  const { child_run_id: child } = await api("GET", `/terraform/runs/${id}`);
  await page.goto(`${up.url}/infra/terraform/runs/${child}`);
  await page.waitForURL((url) => url.pathname.endsWith(id));
});

test("the log can be searched, and says how many hits there are", async () => {
  const id = idOf(page.url());
  await page.goto(`${up.url}/infra/terraform/runs/${id}?tab=apply`);
  await page.getByText(/lines, none missing/).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("Creation complete");
  await page.keyboard.press("Enter");
  const run = await api("GET", `/terraform/runs/${id}`);
  await page.getByText(`1 of ${run.summary.add}`).first().waitFor();
  assert.ok((await page.locator("mark").count()) > 0);
});

test("a line of the log has an address of its own, and the keys are named as this machine calls them", async () => {
  const [run] = (await api("GET", "/terraform/runs?workspace=demo&limit=10")).items.filter((each) => each.kind === "plan" && each.status === "applied");
  await page.goto(`${up.url}/infra/terraform/runs/${run.id}?tab=log&line=5`);
  const named = page.locator("[aria-current=true]").filter({ has: page.getByRole("button", { name: "Line 5", exact: true }) });
  await named.waitFor();
  await page.getByRole("button", { name: "Line 3", exact: true }).click();
  await page.waitForURL(/tab=log&line=3$/);
  assert.equal(await page.locator("[aria-current=true]").getByRole("button").getAttribute("aria-label"), "Line 3");
  await page.getByText("Ctrl K", { exact: true }).waitFor();
});

test("the workspace shows state version 1, its outputs, and keeps a sensitive variable write-only", async () => {
  const [workspace] = (await api("GET", "/terraform/workspaces")).items;
  const base = `${up.url}/infra/terraform/workspaces/${workspace.id}`;
  for (const tab of ["runs", "state", "outputs", "resources", "variables", "policies", "settings"]) {
    await page.goto(tab === "runs" ? base : `${base}?tab=${tab}`);
    await page.getByRole("heading", { name: workspace.name }).waitFor();
    await page.waitForTimeout(300);
    await assertAccessible(page, `the workspace's ${tab}`);
    await picture(page, `workspace-${tab}-dark`);
  }
  await page.goto(`${base}?tab=variables`);
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByLabel("Key").fill("TOKEN_FOR_TEST");
  await page.getByLabel("Kind").selectOption("env");
  await page.getByLabel(/^Sensitive/).check();
  await page.getByLabel("Value").fill("correct-horse-battery");
  await assertAccessible(page, "the variable dialog");
  await page.getByRole("button", { name: "Save" }).click();
  const row = page.getByRole("row", { name: /TOKEN_FOR_TEST/ });
  await row.getByText("sensitive, write-only").waitFor();
  assert.ok(!(await page.content()).includes("correct-horse-battery"), "a sensitive value is never shown again");
  await row.getByRole("button", { name: "Delete TOKEN_FOR_TEST" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
});

test("a plan that a policy blocks says which rule, and can't be approved", async () => {
  for (const each of (await api("GET", "/terraform/policy-attachments")).items) await api("DELETE", `/terraform/policy-attachments/${each.id}`);
  await api("POST", "/terraform/policy-attachments", { policy_set_uri: "policies/blast_radius", enforcement_level: "soft-mandatory", workspace: "demo" });
  const run = await api("POST", "/terraform/workspaces/demo/destroy", { message: "Take the shop down" });
  await runIn(run.id, ["policy_blocked"]);
  await page.goto(`${up.url}/infra/terraform/runs/${run.id}`);
  await page.getByText("Policy blocked").first().waitFor();
  await page.getByText("blocks", { exact: true }).first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Approve/ }).count(), 0);
  await assertAccessible(page, "a run that a policy blocks");
  await picture(page, "run-policy-blocked-dark");
  await api("POST", `/terraform/runs/${run.id}/discard`, {});
  for (const each of (await api("GET", "/terraform/policy-attachments")).items) await api("DELETE", `/terraform/policy-attachments/${each.id}`);
});

test("a destroy asks for the name twice, and for each change to be seen", async () => {
  await page.goto(`${up.url}/infra/terraform`);
  await page.getByRole("link", { name: "demo", exact: true }).waitFor();
  await assertAccessible(page, "the workspaces");
  await picture(page, "workspaces-dark");
  await page.getByRole("button", { name: "Destroy" }).click();
  const plan = page.getByRole("button", { name: "Plan the destroy" });
  assert.equal(await plan.getAttribute("aria-disabled"), "true");
  await page.getByLabel("Type the workspace's name").fill("demo");
  await page.getByLabel(/^Why/).fill("The test is over");
  await assertAccessible(page, "the destroy's popover");
  await plan.click();
  await page.waitForURL(/\/runs\/run-/);
  const id = idOf(page.url());
  const run = await runIn(id, ["awaiting_approval"]);
  const approve = page.getByRole("button", { name: `Approve, destroy ${run.summary.destroy}` });
  await approve.waitFor();
  assert.equal(await approve.getAttribute("aria-disabled"), "true");
  await page.getByText(`0 of ${run.summary.destroy} destructive changes seen`).waitFor();
  for (let i = 0; i < run.summary.destroy; i += 1) {
    await page.keyboard.press("n");
    await page.keyboard.press("x");
  }
  await page.getByText(`${run.summary.destroy} of ${run.summary.destroy} destructive changes seen`).waitFor();
  assert.equal(await approve.getAttribute("aria-disabled"), "true", "seeing all is not enough");
  await page.keyboard.press("a");
  await page.keyboard.type("demo");
  await assertAccessible(page, "a plan that destroys");
  await picture(page, "run-destroy-dark");
  await approve.click();
  await page.getByText(/State version 2, serial \d+, is stored/).waitFor({ timeout: 60_000 });
  await runIn(id, ["applied"]);
});

test("a proxy that breaks WebSockets and server-sent events degrades to polling, and no line is lost", async () => {
  const other = await openPage(browser, { storageState: state });
  await other.routeWebSocket(/\/terraform\/ws\//, (socket) => socket.close());
  await other.route(/\/progress\/events/, (route) => route.abort());
  const run = await api("POST", "/terraform/workspaces/demo/plan", { message: "Plan behind a bad proxy" });
  await other.goto(`${up.url}/infra/terraform/runs/${run.id}?tab=log`);
  await other.getByText("Polling").waitFor();
  await runIn(run.id, ["awaiting_approval"]);
  await other.getByRole("button", { name: /^Approve/ }).waitFor();
  const records = await api("GET", `/terraform/runs/${run.id}/progress?after=0&limit=1000`);
  const lines = records.records.filter((each) => each.kind !== "phase" && each.text).flatMap((each) => each.text.replace(/\n+$/, "").split("\n")).length;
  await other.getByText(`${lines} lines, none missing`).waitFor();
  await other.context().close();
});

test("reject asks why; discard ends the plan", async () => {
  await page.goto(up.url);
  await page.getByText("Plan behind a bad proxy").first().waitFor();
  await page.keyboard.press("r");
  const dialog = page.getByRole("dialog", { name: "Reject this plan" });
  await dialog.waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Reject" }).getAttribute("aria-disabled"), "true");
  await dialog.getByLabel("Why").fill("Not today");
  await assertAccessible(page, "the reject dialog");
  await dialog.getByRole("button", { name: "Reject" }).click();
  await page.getByText("“Not today”").waitFor();
  await dialog.waitFor({ state: "detached" });
  const id = idOf(page.url());
  await page.keyboard.press("d");
  await page.getByRole("dialog", { name: "Discard this plan" }).getByRole("button", { name: "Discard" }).click();
  await runIn(id, ["discarded"]);
  await page.getByText("Discarded").first().waitFor();
});

test("halt: scope, why, HALT; a banner on every page; resume", async () => {
  await page.goto(`${up.url}/infra/terraform`);
  await page.getByRole("link", { name: "demo", exact: true }).waitFor();
  await page.keyboard.press("Shift+H");
  const raise = page.getByRole("button", { name: "Raise the halt" });
  await page.getByRole("dialog").getByLabel("Why").fill("A drill");
  assert.equal(await raise.getAttribute("aria-disabled"), "true");
  await page.getByLabel("Type HALT").fill("HALT");
  await assertAccessible(page, "the halt dialog");
  await raise.click();
  await page.getByRole("heading", { name: "Halt raised" }).waitFor();
  await page.getByText(/Nothing was running or waiting|had no process/).waitFor();
  await assertAccessible(page, "a standing halt");
  await picture(page, "halt-dark");
  await page.getByRole("button", { name: "Close, keep the halt" }).click();
  const banner = page.getByRole("region", { name: "Halt" });
  await banner.getByText("“A drill”").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Plan/ }).first().getAttribute("aria-disabled"), "true");
  await page.goto(`${up.url}/settings`);
  await banner.waitFor();
  await banner.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("dialog", { name: "Resume" }).getByLabel(/^Why/).fill("The drill is over");
  await page.getByRole("dialog", { name: "Resume" }).getByRole("button", { name: "Resume" }).click();
  await banner.waitFor({ state: "detached" });
});

test("every page is accessible and has its pictures, in light and dark", async () => {
  const [workspace] = (await api("GET", "/terraform/workspaces")).items;
  const pages = [["inbox", "/"], ["infra", "/infra"], ...["bots", "queues", "pipeline", "canary"].map((tab) => [`infra-${tab}`, `/infra?tab=${tab}`]), ["workspaces", "/infra/terraform"], ["workspace", `/infra/terraform/workspaces/${workspace.id}`], ["stacks", "/infra/terraform/stacks"], ["stack", `/infra/terraform/stacks/${workspace.stack.name}`], ["audit", "/audit"], ["settings", "/settings"], ["teams", "/settings?tab=teams"], ["tokens", "/settings?tab=tokens"], ["you", "/settings?tab=you"]];
  for (const theme of ["light", "dark"]) {
    const other = await openPage(browser, { theme, storageState: state });
    for (const [name, path] of pages) {
      await other.goto(up.url + path, { waitUntil: "networkidle" });
      await other.getByRole("heading", { level: 1 }).waitFor();
      await assertAccessible(other, `${name} in ${theme}`);
      await picture(other, `page-${name}-${theme}`);
    }
    assert.deepEqual(other.troubles, [], `errors in the ${theme} pages`);
    await other.context().close();
  }
});

test("on a phone nothing stands out sideways", async () => {
  const phone = await openPage(browser, { width: 390, height: 844, storageState: state });
  const run = (await api("GET", "/terraform/runs")).items.find((each) => each.kind === "destroy");
  for (const [name, path] of [["inbox", "/"], ["run", `/infra/terraform/runs/${run.id}`], ["run-changes", `/infra/terraform/runs/${run.id}?tab=changes`], ["run-apply", `/infra/terraform/runs/${run.id}?tab=apply`], ["workspaces", "/infra/terraform"], ["workspace", `/infra/terraform/workspaces/${run.workspace.id}`], ["infra", "/infra"], ["settings", "/settings"]]) {
    await phone.goto(up.url + path, { waitUntil: "networkidle" });
    await phone.waitForTimeout(300);
    await assertNoSideways(phone, name);
    await assertAccessible(phone, `${name} on a phone`);
    await picture(phone, `phone-${name}`);
  }
  await phone.context().close();
});

test("the palette goes anywhere by keyboard, and the theme can be chosen", async () => {
  await page.goto(up.url);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").waitFor();
  await assertAccessible(page, "the palette");
  await page.keyboard.type("audit");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Shortcuts" }).waitFor();
  await assertAccessible(page, "the shortcuts");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^You:/ }).click();
  await page.getByRole("menuitemradio", { name: "Light" }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await page.keyboard.press("Escape");
});

test("what is typed before the palette's code is there acts on nothing behind it", async () => {
  const other = await openPage(browser, { storageState: state });
  const asked = [];
  other.on("request", (request) => request.method() === "POST" && asked.push(request.url()));
  await other.route(/\/assets\/palette-/, (route) => void setTimeout(() => void route.continue(), 1_500));
  await other.goto(`${up.url}/infra/terraform`);
  await other.getByRole("link", { name: "demo", exact: true }).waitFor();
  await other.keyboard.press("Control+k");
  await other.keyboard.press("p");
  await other.getByRole("combobox", { name: "Search or run a command" }).waitFor();
  assert.deepEqual(asked, [], "P plans the workspace in focus");
  await other.context().close();
});

test("log out ends the session, and a bad password is said to be one", async () => {
  await page.getByRole("button", { name: /^You:/ }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.goto(`${up.url}/audit`);
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.match(page.url(), /next=%2Faudit/);
  await page.getByLabel("Email").fill("nobody@example.com");
  await page.getByLabel("Password").fill("wrong-password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("[aria-invalid=true]").waitFor();
  // The browser itself notes each refusal.
  assert.ok(page.troubles.splice(0).every((each) => each.includes("401")));
  await assertAccessible(page, "the login page");
  await picture(page, "login");
});
