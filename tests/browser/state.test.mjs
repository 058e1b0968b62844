/**
 * A workspace's state in a real browser, against a whole Sluice: versions, resources, outputs, comparison, the lock, the
 * quarantine, a rollback and a migration through the gate, an import. The tests follow each other, as a person's day does.
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
let demo;

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

async function applied(run) {
  const waiting = await runIn(run.id, ["awaiting_approval"]);
  await api("POST", `/terraform/runs/${run.id}/approve`, { fingerprint: waiting.fingerprint.digest });
  return runIn(run.id, ["applied"]);
}

const versions = async (workspace = "demo") => (await api("GET", `/terraform/workspaces/${workspace}/state-versions`)).items;
const statePath = (search = "") => `${up.url}/infra/terraform/workspaces/${demo.id}?tab=state${search}`;
const idOf = (url) => /runs\/(run-[^/?]+)/.exec(url)?.[1];

/** A recovery list as the API gives it; a real one takes an apply that is killed. */
const LEFT = {
  run_id: "run-01m7ymn41j403x2ne42ma8a5vn", action: "create", change: "create", provider: "registry.opentofu.org/hashicorp/aws", hints: {}, check: null, is_in_state: false, status: "open", resource_id: null, import_block: null, import_template: null,
  created_at: "2026-03-01T10:00:00Z", started_at: "2026-03-01T09:59:00Z", decided_at: null, decided_by: null, decision_reason: null, state_version_id: null,
};
const left = () => [
  { ...LEFT, workspace_id: demo.id, id: "rec-1", type: "aws_nat_gateway", address: 'module.network.aws_nat_gateway.this["eu-west-1a"]', outcome: "created", resource_id: "nat-0a1b2c3d4e5f60718", reason: "The engine created it, and no state that the run left holds it.", import_block: 'import {\n  to = module.network.aws_nat_gateway.this["eu-west-1a"]\n  id = "nat-0a1b2c3d4e5f60718"\n}\n' },
  { ...LEFT, workspace_id: demo.id, id: "rec-2", type: "aws_sqs_queue", address: "aws_sqs_queue.orders", outcome: "unknown", reason: "The engine began to create it; how that ended is not known.", import_template: 'import {\n  to = aws_sqs_queue.orders\n  id = ""\n}\n', check: "Look at the provider for a resource of the type aws_sqs_queue. If it is there, import it with its id, or delete it." },
];
const answerLeft = (on) => on.route(/\/terraform\/recovery\/resources\?/, (route) => route.fulfill({ json: { items: left(), next_cursor: null } }));

before(async () => {
  [up, browser] = await Promise.all([startSluice(), openBrowser()]);
  api = apiOf(up);
  page = await openPage(browser, { theme: "dark", height: 1000 });
  const [first] = (await api("GET", "/terraform/runs")).items;
  await applied(first);
  await api("PUT", "/terraform/workspaces/demo/variables/terraform/subnets", { value: "{ a = 0, b = 1 }", is_sensitive: false, is_hcl: true, description: "" });
  await applied(await api("POST", "/terraform/workspaces/demo/plan", { message: "One subnet less" }));
  demo = await api("GET", "/terraform/workspaces/demo");
  await page.goto(up.login_url);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
});

after(async () => {
  await browser?.close();
  await up?.stop();
});

// Errors in the page fail the test in which they were.
afterEach(() => assert.deepEqual(page.troubles.splice(0), []));

test("the state's own address leads to the workspace's state, with both versions", async () => {
  await page.goto(`${up.url}/infra/terraform/state/demo`);
  await page.getByRole("table", { name: "State versions" }).waitFor();
  assert.match(page.url(), /tab=state/);
  assert.equal(await page.getByRole("row").count(), 3);
  await page.getByRole("row", { name: /2 current/ }).waitFor();
  await page.getByRole("heading", { name: "State lock" }).waitFor();
  await assertAccessible(page, "the state's versions");
  await picture(page, "state-versions-dark");
});

test("version 1 shows its resources, narrowed by the API, and its outputs", async () => {
  const [, first] = await versions();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "State version 1" }).waitFor();
  assert.ok(page.url().includes(first.id));
  await page.getByText(`${first.resource_count} resources`).waitFor();
  await page.getByRole("button", { name: /^Module/ }).click();
  await page.getByRole("button", { name: /^module\.network/ }).click();
  await page.getByRole("status").filter({ hasText: / of \d+$/ }).waitFor();
  assert.ok((await page.getByRole("group", { name: "Resources" }).getByRole("listitem").count()) < first.resource_count);
  await assertAccessible(page, "a state version");
  await picture(page, "state-version-dark");
});

test("a sensitive output is revealed by a press, and the audit trail says so", async () => {
  const [current] = await versions();
  const outputs = await api("GET", `/terraform/state-versions/${current.id}/outputs`);
  const hidden = outputs.find((each) => each.sensitive);
  await page.goto(statePath(`&version=${current.id}&part=outputs`));
  const reveal = page.getByRole("button", { name: `Reveal ${hidden.name}` });
  await reveal.waitFor();
  await assertAccessible(page, "the outputs of a version");
  const reads = async () => (await api("GET", "/audit?action=state.output_read")).items.length;
  assert.equal(await reads(), 0, "looking at the page reads no secret");
  await reveal.click();
  await page.getByRole("button", { name: `Hide ${hidden.name}` }).waitFor();
  assert.equal(await reads(), 1);
});

test("two versions are chosen and compared, by resource and attribute", async () => {
  const [second, first] = await versions();
  await page.goto(statePath());
  await page.getByRole("checkbox", { name: "Choose version 1 to compare" }).check();
  await page.getByRole("checkbox", { name: "Choose version 2 to compare" }).check();
  await page.getByRole("button", { name: "Compare 1 and 2" }).click();
  const diff = await api("GET", `/terraform/state-versions/${first.id}/diff/${second.id}`);
  const total = diff.added + diff.removed + diff.changed;
  await page.getByText(new RegExp(`${total} resources? differs?`)).waitFor();
  await page.getByRole("button", { name: /remove.*subnet/ }).first().waitFor();
  assert.ok(!/destroy/i.test(await page.getByRole("group", { name: "Differences" }).innerText()), "a state that differs destroys nothing");
  await assertAccessible(page, "two versions compared");
  await picture(page, "state-compare-dark");
  await page.getByRole("button", { name: "Swap A and B" }).click();
  await page.getByRole("button", { name: /add.*subnet/ }).first().waitFor();
});

test("a lock by hand keeps a rollback out until it is released", async () => {
  const [, first] = await versions();
  await page.goto(statePath());
  await page.getByRole("button", { name: "Lock by hand" }).click();
  const dialog = page.getByRole("dialog", { name: "Lock demo" });
  assert.equal(await dialog.getByRole("button", { name: "Lock the state" }).getAttribute("aria-disabled"), "true");
  await dialog.getByLabel(/^Why/).fill("Moving the VPC by hand");
  await assertAccessible(page, "the lock's dialog");
  await dialog.getByRole("button", { name: "Lock the state" }).click();
  await page.getByText("“Moving the VPC by hand”").waitFor();
  await picture(page, "state-locked-dark");
  await page.goto(statePath(`&version=${first.id}`));
  const rollback = page.getByRole("button", { name: "Roll back to 1…" });
  await rollback.and(page.locator("[aria-disabled=true]")).waitFor();
  assert.match(await rollback.getAttribute("title"), /holds the state lock/);
  await page.goto(statePath());
  await page.getByRole("button", { name: "Release" }).click();
  await page.getByRole("button", { name: "Lock by hand" }).waitFor();
  assert.equal(await api("GET", "/terraform/workspaces/demo/state-lock"), null);
});

test("rollback: planned, approved, and kept as a new version", async () => {
  const [, first] = await versions();
  await page.goto(statePath(`&version=${first.id}`));
  await page.getByRole("button", { name: "Roll back to 1…" }).click();
  const dialog = page.getByRole("dialog", { name: "Roll the state back to version 1" });
  await dialog.getByText("Against the current version 2:").waitFor();
  await dialog.getByLabel(/^Why/).fill("The subnet is needed after all");
  await assertAccessible(page, "the rollback's dialog");
  await picture(page, "state-rollback-dark");
  await dialog.getByRole("button", { name: "Plan the rollback" }).click();
  await page.waitForURL(/\/runs\/run-/);
  await page.getByRole("heading", { name: "The subnet is needed after all" }).waitFor();
  const run = await runIn(idOf(page.url()), ["awaiting_approval"]);
  assert.equal(run.kind, "rollback");
  await page.getByText("Rolls the state back to version 1.").waitFor();
  await page.getByRole("button", { name: /add.*subnet/ }).first().waitFor();
  await assertAccessible(page, "a rollback that waits");
  await picture(page, "run-rollback-dark");
  await page.getByRole("button", { name: "Approve, roll back to version 1" }).click();
  await page.getByText("The state is as it was at version 1.").waitFor({ timeout: 60_000 });
  await runIn(run.id, ["applied"]);
  await assertAccessible(page, "a rollback that was applied");
  const [newest] = await versions();
  assert.equal(newest.kind, "rolled_back");
  await page.getByRole("link", { name: "See the versions" }).click();
  await page.getByRole("row", { name: /3 current.*rolled back/ }).waitFor();
});

test("a state that can't follow is shown in quarantine, compared, and discarded with a reason", async () => {
  const [newest] = await versions();
  const state = await (await fetch(`${up.url}/terraform/state-versions/${newest.id}/download`, { headers: { authorization: `Bearer ${up.token}` } })).json();
  const send = (method, query, body) => fetch(`${up.url}/terraform/state/demo${query}`, { method, headers: { authorization: `Bearer ${up.token}`, "content-type": "application/json" }, body });
  const lock = JSON.stringify({ ID: "by-hand", Operation: "OperationTypeApply", Info: "", Who: "ada@laptop", Version: "1.12.6", Path: "" });
  assert.equal((await send("LOCK", "", lock)).status, 200);
  assert.equal((await send("POST", "?ID=by-hand", JSON.stringify({ ...state, serial: 1, outputs: {} }))).status, 409);
  assert.equal((await send("UNLOCK", "", lock)).status, 200);
  await page.goto(`${up.url}/infra/terraform/state`);
  await page.getByRole("table", { name: "Quarantined states" }).waitFor();
  await assertAccessible(page, "the states of all workspaces");
  await picture(page, "state-overview-dark");
  await page.getByRole("link", { name: "serial 1" }).click();
  await page.getByText("If it became the current state").waitFor();
  await page.getByText("They hold the same resources.").waitFor();
  await assertAccessible(page, "a quarantined state");
  await picture(page, "state-quarantined-dark");
  await page.getByRole("button", { name: "Make it current…" }).click();
  const adopt = page.getByRole("dialog", { name: "Make this the current state" });
  assert.equal(await adopt.getByRole("button", { name: "Make it current" }).getAttribute("aria-disabled"), "true");
  await assertAccessible(page, "the dialog that adopts a state");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Discard…" }).click();
  const dialog = page.getByRole("dialog", { name: "Discard this state" });
  await dialog.getByLabel(/^Why/).fill("An old laptop");
  await dialog.getByRole("button", { name: "Discard it" }).click();
  await page.getByText("It was discarded.").waitFor();
});

test("the recovery list is empty, or shows what to import and what to check", async () => {
  await page.goto(statePath("&left=resources"));
  await page.getByText("Nothing is missing.").waitFor();
  await assertAccessible(page, "an empty recovery list");
  await answerLeft(page);
  await page.goto(statePath("&left=resources"));
  await page.getByText("2 open, 1 ready to import").waitFor();
  await assertAccessible(page, "a recovery list");
  await picture(page, "state-recovery-dark");
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), left()[0].import_block);
  await page.getByRole("button", { name: "Dismiss…" }).last().click();
  const dialog = page.getByRole("dialog", { name: "Dismiss aws_sqs_queue.orders" });
  assert.equal(await dialog.getByRole("button", { name: "Dismiss it" }).getAttribute("aria-disabled"), "true");
  await assertAccessible(page, "the dialog that dismisses an item");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await page.unrouteAll({ behavior: "wait" });
});

test("migration: the state moves to another backend through the gate", async () => {
  const from = demo.state_backend;
  const [target, word] = from === "managed" ? ["local", "Sluice (local file)"] : ["managed", "Sluice (managed)"];
  await page.goto(`${up.url}/infra/terraform/workspaces/${demo.id}?tab=settings`);
  await page.getByRole("button", { name: "Move the state to another backend…" }).click();
  await page.getByLabel("Backend", { exact: true }).selectOption("s3");
  assert.equal(await page.getByRole("button", { name: "Plan the migration" }).getAttribute("aria-disabled"), "true");
  await assertAccessible(page, "the migration's dialog");
  await picture(page, "state-migrate-dark");
  await page.getByLabel("Backend", { exact: true }).selectOption(target);
  await page.getByRole("button", { name: "Plan the migration" }).click();
  await page.waitForURL(/\/runs\/run-/);
  const run = await runIn(idOf(page.url()), ["awaiting_approval"]);
  await page.getByText(`Moves the state to ${word}.`).waitFor();
  await page.getByText("The old state stays where it is.").waitFor();
  await assertAccessible(page, "a migration that waits");
  await picture(page, "run-migration-dark");
  await page.getByRole("button", { name: `Approve, move to ${word}` }).click();
  await page.getByText(`The state lies in ${word} now`).waitFor({ timeout: 60_000 });
  await runIn(run.id, ["applied"]);
  assert.equal((await api("GET", "/terraform/workspaces/demo")).state_backend, target);
});

test("import: a state file becomes version 1 of a workspace that has none", async () => {
  const workspace = await api("POST", "/terraform/workspaces", { name: "taken-over", stack: "demo", tags: [], description: "" });
  await page.goto(`${up.url}/infra/terraform/workspaces/${workspace.id}?tab=state`);
  await page.getByText("No state yet.").waitFor();
  await page.getByRole("button", { name: "Import a state…" }).click();
  const file = (text) => ({ name: "prod.tfstate", mimeType: "application/json", buffer: Buffer.from(text) });
  await page.getByLabel("State file").setInputFiles(file('{"version": 4, "ser'));
  await page.getByText(/may be cut short/).waitFor();
  const state = { version: 4, terraform_version: "1.12.6", serial: 7, lineage: "5d3f6f3e-0000-4000-8000-000000000007", outputs: {}, resources: [{ mode: "managed", type: "terraform_data", name: "a", provider: 'provider["terraform.io/builtin/terraform"]', instances: [{ schema_version: 0, attributes: { id: "x", input: null, output: null, triggers_replace: null }, sensitive_attributes: [] }] }], check_results: null };
  await page.getByLabel("State file").setInputFiles(file(JSON.stringify(state)));
  await page.getByText("1 resource,").waitFor();
  await assertAccessible(page, "the import's dialog");
  await picture(page, "state-import-dark");
  await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("State version 1 is stored:").waitFor();
  await page.getByRole("button", { name: "Show the state" }).click();
  await page.getByRole("row", { name: /1 current.*imported/ }).waitFor();
  assert.equal((await versions("taken-over"))[0].serial, 7);
});

test("outputs are shared with the workspaces that are named, and with no other", async () => {
  await page.getByText("No other workspace may read the outputs.").waitFor();
  await page.getByRole("button", { name: "Change the output sharing" }).click();
  const dialog = page.getByRole("dialog", { name: "Share the outputs of taken-over" });
  await dialog.getByLabel("With these workspaces, one a line").fill("demo");
  await assertAccessible(page, "the sharing's dialog");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("demo may read the outputs.").waitFor();
});

test("on a phone and in light nothing stands out sideways, and all is accessible", async () => {
  const [newest, older] = await versions();
  const storageState = await page.context().storageState();
  const places = [["overview", "/infra/terraform/state"], ["versions", statePath().slice(up.url.length)], ["version", statePath(`&version=${older.id}`).slice(up.url.length)], ["compare", statePath(`&a=${older.id}&b=${newest.id}`).slice(up.url.length)], ["quarantine", statePath("&held=quarantine").slice(up.url.length)], ["recovery", statePath("&left=resources").slice(up.url.length)]];
  for (const [width, height, look] of [[390, 844, "phone"], [1440, 900, "light"]]) {
    const other = await openPage(browser, { theme: "light", width, height, storageState });
    await answerLeft(other);
    for (const [name, path] of places) {
      await other.goto(up.url + path, { waitUntil: "networkidle" });
      await other.getByRole("heading", { level: 1 }).waitFor();
      await other.waitForTimeout(300);
      await assertNoSideways(other, `${name}, ${look}`);
      await assertAccessible(other, `the state's ${name}, ${look}`);
      await picture(other, `state-${name}-${look}`);
    }
    assert.deepEqual(other.troubles, []);
    await other.context().close();
  }
});
