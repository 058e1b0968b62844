/**
 * The kill switch in a real browser, with three sibling systems: one takes the halt, one fails, one hangs. None of them
 * holds another back, and silence is never shown as having stopped.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { openBrowser } from "../../frontend/scripts/browser.mjs";
import { assertAccessible, assertNoSideways, openPage, picture } from "./page.mjs";
import { apiOf, ROOT, startSluice } from "./sluice.mjs";

const TOKEN = "sibling-secret-7f3a";
let up;
let api;
let browser;
let page;
const siblings = [];

/** A system that answers each halt as `reply` says, and notes what came. */
async function sibling(name, reply) {
  const calls = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      calls.push({ headers: request.headers, body: JSON.parse(body) });
      reply(response);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  siblings.push(server);
  return { name, calls, url: `http://127.0.0.1:${server.address().port}/${name}/halt-all` };
}

const answer = (status, body) => (response) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const systems = {};

before(async () => {
  systems.bots = await sibling("bots", answer(200, { message: "41 bots stopped" }));
  systems.paper = await sibling("paper", answer(500, { detail: "the ledger is locked" }));
  systems.workflows = await sibling("workflows", () => undefined);
  const endpoints = Object.values(systems).map(({ name, url }) => ({ name, url, token: TOKEN, timeout_seconds: 1 }));
  [up, browser] = await Promise.all([startSluice({ settings: { SLUICE_HALT_ENDPOINTS: JSON.stringify(endpoints), SLUICE_GRACE_SECONDS: "5" } }), openBrowser()]);
  api = apiOf(up);
  // The demo's plan waits at the gate and its process is over, before anything is halted.
  for (let tries = 0, plan; !plan?.quiesced_at; tries += 1) {
    assert.ok(tries < 300, "the demo's plan does not come to the gate");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const [waiting] = (await api("GET", "/terraform/runs?status=awaiting_approval")).items;
    plan = waiting && (await api("GET", `/terraform/runs/${waiting.id}`));
  }
  page = await openPage(browser, { theme: "dark", height: 1000 });
  await page.goto(up.login_url);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
});

after(async () => {
  await browser?.close();
  await up?.stop();
  for (const server of siblings) {
    server.closeAllConnections();
    server.close();
  }
});

afterEach(() => assert.deepEqual(page.troubles.splice(0), []));

const answers = () => page.getByRole("region", { name: "Sibling systems" });
const rowOf = (name) => answers().getByRole("listitem").filter({ hasText: name });

test("the switch calls all three at once, and shows each answer as it comes", async () => {
  await page.keyboard.press("Shift+H");
  await page.getByRole("heading", { name: "Halt" }).waitFor();
  await assertAccessible(page, "the kill switch");
  await picture(page, "halt-raise-dark");
  await page.getByLabel("Why").fill("wrong account");
  await page.getByLabel("Type HALT").fill("HALT");
  await page.getByRole("button", { name: "Raise the halt" }).click();
  await page.getByRole("heading", { name: "Halt raised" }).waitFor();
  await rowOf("bots").filter({ hasText: "answered" }).filter({ hasText: "41 bots stopped" }).waitFor({ timeout: 5_000 });
  const [standing] = (await api("GET", "/terraform/halt")).active;
  const slow = standing.fanout.find((call) => call.name === "workflows");
  assert.equal(slow.status, "pending", "the one that hangs held the others back");
  assert.equal(systems.bots.calls.length, 1);
  assert.equal(systems.bots.calls[0].headers["x-halt-id"], standing.id);
  assert.equal(systems.bots.calls[0].headers.authorization, `Bearer ${TOKEN}`);
  assert.match(systems.bots.calls[0].body.reason, /wrong account/);
});

test("one that fails and one that hangs come to an end, and neither is shown as stopped", async () => {
  await rowOf("paper").getByText("failed", { exact: true }).waitFor({ timeout: 20_000 });
  await rowOf("paper").getByText(/the ledger is locked/).waitFor();
  await rowOf("workflows").getByText("not known", { exact: true }).waitFor({ timeout: 20_000 });
  assert.ok(systems.paper.calls.length > 1, "it was tried again");
  const ids = new Set(Object.values(systems).flatMap(({ calls }) => calls.map(({ headers }) => headers["x-halt-id"])));
  assert.equal(ids.size, 1, "one halt has one id");
  await page.getByText("1 of 3 sibling systems answered").waitFor();
  assert.ok(!(await page.content()).includes(TOKEN));
  await assertAccessible(page, "a halt with its siblings");
  await assertNoSideways(page, "a halt with its siblings");
  await picture(page, "halt-siblings-dark");
});

test("the banner stays on every page, and says how many siblings are not known to have stopped", async () => {
  await page.getByRole("button", { name: /Close, keep the halt/ }).click();
  await page.goto(`${up.url}/infra/terraform`);
  const banner = page.getByRole("region", { name: "Halt" });
  await banner.getByText("wrong account").waitFor();
  await banner.getByText(/2 of 3 sibling systems not known to have stopped/).waitFor();
  await banner.getByText(/1 run stopped, none had a process/).waitFor();
  const light = await openPage(browser, { theme: "light", height: 1000, storageState: await page.context().storageState() });
  await light.goto(`${up.url}/infra/terraform`);
  await light.getByRole("region", { name: "Halt" }).getByRole("button", { name: "Show" }).click();
  await light.getByRole("region", { name: "Sibling systems" }).waitFor();
  await assertAccessible(light, "a halt in light");
  await picture(light, "halt-siblings-light");
  await light.context().close();
});

test("resume lifts the halt and calls no sibling", async () => {
  const before = Object.values(systems).map(({ calls }) => calls.length);
  await page.getByRole("region", { name: "Halt" }).getByRole("button", { name: "Resume" }).click();
  await page.getByLabel("Why (kept in the audit trail)").fill("account corrected");
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await page.getByRole("region", { name: "Halt" }).waitFor({ state: "detached" });
  assert.deepEqual(Object.values(systems).map(({ calls }) => calls.length), before);
});

test("a drill is held from the switch, and shows how long each step took", async () => {
  await page.getByRole("button", { name: /^Halt/ }).click();
  const drill = page.getByRole("region", { name: "Drill" });
  await drill.getByText("The switch has not been drilled yet").waitFor();
  await drill.getByRole("button", { name: "Drill" }).click();
  await drill.getByText(/The last drill passed/).waitFor({ timeout: 90_000 });
  await drill.getByText("Its process is dead").waitFor();
  await assertAccessible(page, "a drill");
  await picture(page, "halt-drill-dark");
  assert.equal(systems.bots.calls.length, 1, "a drill calls nobody");
});

/** Plans a directory by the command line and approves it; returns once its provisioner has said the word. */
async function applying(workspace, configuration, word) {
  const directory = mkdtempSync(join(tmpdir(), "sluice-halt-"));
  writeFileSync(join(directory, "main.tf"), configuration);
  const env = { ...process.env, SLUICE_URL: up.url, SLUICE_TOKEN: up.token };
  const out = await new Promise((resolve) => execFile(join(ROOT, ".venv", "bin", "sluice"), ["plan", directory, "-w", workspace, "--create", "--wait", "--quiet", "--json"], { env }, (_, stdout) => resolve(stdout)));
  rmSync(directory, { recursive: true });
  const plan = JSON.parse(out);
  assert.equal(plan.status, "awaiting_approval", out);
  const { child_run_id: apply } = await api("POST", `/terraform/runs/${plan.id}/approve`, {});
  for (let i = 0; i < 200; i += 1) {
    const { records } = await api("GET", `/terraform/runs/${apply}/progress?after=0&limit=1000`);
    if (records.some((each) => each.text.includes(word))) return apply;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${apply} never said ${word}`);
}

const asksOf = (other) => {
  const asks = [];
  other.on("request", (request) => new URL(request.url()).pathname === "/terraform/halt" && asks.push(request.method()));
  return asks;
};

test("a halt raised elsewhere comes by the WebSocket: who is dying, the countdown, and the end of it", async () => {
  // The engine stops itself, so that only the kill after the grace period ends it.
  await applying("stubborn", 'resource "terraform_data" "stubborn" {\n  provisioner "local-exec" {\n    command = "echo begun; sleep 1; kill -STOP $PPID"\n  }\n}\n', "begun");
  await page.goto(`${up.url}/audit`);
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  await page.waitForTimeout(1_500);
  const asks = asksOf(page);
  const banner = page.getByRole("region", { name: "Halt" });
  await api("POST", "/terraform/halt", { reason: "raised elsewhere" });
  await banner.getByText("“raised elsewhere”").waitFor({ timeout: 3_000 });
  await banner.getByRole("link", { name: "stubborn" }).waitFor({ timeout: 3_000 });
  await banner.getByText(/Still dying: stubborn, applying\. All dead in at most 0:\d\d/).waitFor();
  await assertAccessible(page, "a halt whose process is dying");
  await picture(page, "halt-dying-dark");
  await banner.getByText(/2 runs stopped, 1 of 1 process proven dead/).waitFor({ timeout: 15_000 });
  assert.equal(await banner.getByText("Still dying").count(), 0);
  await api("POST", "/terraform/resume", { reason: "seen" });
  await banner.waitFor({ state: "detached", timeout: 3_000 });
  assert.deepEqual(asks, [], "the page asked although the WebSocket tells it");
});

test("where WebSockets are broken the page asks for the halts", async () => {
  const other = await openPage(browser, { theme: "light", storageState: await page.context().storageState() });
  await other.routeWebSocket(/\/terraform\/ws\//, (socket) => socket.close());
  const asks = asksOf(other);
  await other.goto(`${up.url}/audit`);
  await other.getByRole("heading", { name: "Audit" }).waitFor();
  await api("POST", "/terraform/halt", { reason: "seen by asking" });
  const banner = other.getByRole("region", { name: "Halt" });
  await banner.getByText("“seen by asking”").waitFor({ timeout: 8_000 });
  assert.ok(asks.length >= 2);
  await api("POST", "/terraform/resume", { reason: "seen" });
  await banner.waitFor({ state: "detached", timeout: 5_000 });
  await other.context().close();
});
