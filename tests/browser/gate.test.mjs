/**
 * The gate in a real browser, with several people signed in: two approve, the requester can't; an approval that became
 * void says why; a blocked run is overridden by a second person; and the policies that judge, from attachment to
 * rehearsal. The tests follow each other, as people's days do.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openBrowser } from "../../frontend/scripts/browser.mjs";
import { assertAccessible, assertNoSideways, openPage, picture } from "./page.mjs";
import { runIn, signIn } from "./people.mjs";
import { apiOf, startSluice } from "./sluice.mjs";

let up;
let api;
let browser;
/** The admin, who requests; Ana and Bo, who approve. */
let requester;
let ana;
let bo;

const runUrl = (id, tab) => `${up.url}/infra/terraform/runs/${id}${tab ? `?tab=${tab}` : ""}`;
const rail = (page, name) => page.getByRole("complementary", { name: "About the run" }).getByRole("region", { name });

before(async () => {
  [up, browser] = await Promise.all([startSluice(), openBrowser()]);
  api = apiOf(up);
  const [first] = (await api("GET", "/terraform/runs")).items;
  await runIn(api, first.id, ["awaiting_approval"]);
  await api("POST", `/terraform/runs/${first.id}/discard`, {});
  for (const each of (await api("GET", "/terraform/policy-attachments")).items) await api("DELETE", `/terraform/policy-attachments/${each.id}`);
  await api("PATCH", "/terraform/workspaces/demo", { requester_may_approve: false, required_approvals: 2 });
  requester = await openPage(browser, { height: 1000 });
  await requester.goto(up.login_url);
  await requester.getByRole("heading", { name: "Inbox" }).waitFor();
  ana = await signIn(browser, up, api, { name: "Ana Lindqvist", roles: ["approver"], height: 1000 });
  bo = await signIn(browser, up, api, { name: "Bo Tanaka", roles: ["approver"], theme: "dark", height: 1000 });
});

after(async () => {
  await browser?.close();
  await up?.stop();
});

// Errors in a page fail the test in which they were.
afterEach(() => {
  for (const page of [requester, ana, bo]) assert.deepEqual(page?.troubles.splice(0) ?? [], []);
});

test("two people approve, and the requester can't", async () => {
  const run = await api("POST", "/terraform/workspaces/demo/plan", { message: "Build it by two" });
  await runIn(api, run.id, ["awaiting_approval"]);
  await requester.goto(runUrl(run.id));
  const own = requester.getByRole("button", { name: /^Approve/ });
  await own.waitFor();
  assert.equal(await own.getAttribute("aria-disabled"), "true");
  await rail(requester, "Approvals").getByText(/You can't approve: .*request/).waitFor();
  await assertAccessible(requester, "a run for its requester");
  await picture(requester, "gate-requester-light");

  await ana.goto(runUrl(run.id));
  await ana.getByText("1 more approval is needed after yours.").first().waitFor();
  await ana.getByRole("button", { name: /^Approve/ }).click();
  await rail(ana, "Approvals").getByText("You approved this plan.").waitFor();
  await rail(ana, "Approvals").getByText("1 of 2", { exact: true }).waitFor();
  assert.equal((await api("GET", `/terraform/runs/${run.id}`)).status, "awaiting_approval", "one approval is not enough");

  await bo.goto(runUrl(run.id));
  await rail(bo, "Approvals").getByText("Ana Lindqvist").waitFor();
  await assertAccessible(bo, "a run that one has approved");
  await picture(bo, "gate-one-of-two-dark");
  await bo.getByRole("button", { name: /^Approve/ }).click();
  const applied = await runIn(api, run.id, ["applied"]);
  assert.deepEqual(applied.approvals_detail.decisions.map((each) => each.actor.name), ["Ana Lindqvist", "Bo Tanaka"]);
  await rail(requester, "Approvals").getByText("2 of 2", { exact: true }).waitFor();
});

test("an approval that became void says why", async () => {
  await api("PUT", "/terraform/workspaces/demo/variables/terraform/subnets", { value: "{ a = 0, b = 1, c = 2, d = 3 }", is_sensitive: false, is_hcl: true, description: "" });
  const run = await api("POST", "/terraform/workspaces/demo/plan", { message: "One subnet more" });
  const waiting = await runIn(api, run.id, ["awaiting_approval"]);
  await ana.goto(runUrl(run.id));
  const seen = ana.getByRole("button", { name: /^Approve/ });
  await seen.waitFor();
  for (let i = 0; i < waiting.summary.destroy + waiting.summary.replace; i += 1) {
    await ana.keyboard.press("n");
    await ana.keyboard.press("x");
  }
  if (waiting.summary.destroy + waiting.summary.replace > 0) {
    await ana.keyboard.press("a");
    await ana.keyboard.type("demo");
  }
  await seen.click();
  await rail(ana, "Approvals").getByText("You approved this plan.").waitFor();

  await api("POST", "/terraform/policy-attachments", { policy_set_uri: "policies/no_local_exec", enforcement_level: "soft-mandatory" });
  await rail(ana, "Approvals").getByText("Void:").waitFor();
  const { decisions } = (await api("GET", `/terraform/runs/${run.id}`)).approvals_detail;
  assert.ok(decisions[0].void_reason, "the API says why");
  await rail(ana, "Approvals").getByText(`Void: ${decisions[0].void_reason}`).waitFor();
  const name = rail(ana, "Approvals").locator("li", { hasText: "Void:" }).getByText("Ana Lindqvist");
  assert.match(await name.evaluate((node) => getComputedStyle(node).textDecorationLine), /line-through/);
  await rail(ana, "Approvals").getByText("0 of 2", { exact: true }).waitFor();
  await assertAccessible(ana, "a void approval");
  await picture(ana, "gate-void-light");
  await ana.goto(runUrl(run.id, "timeline"));
  await ana.getByText(`Approval of Ana Lindqvist void: ${decisions[0].void_reason}`).waitFor();
  await api("POST", `/terraform/runs/${run.id}/discard`, {});
});

test("a blocked run is overridden by a second person, and never by its requester", async () => {
  await api("POST", "/terraform/policy-attachments", { policy_set_uri: "policies/blast_radius", enforcement_level: "soft-mandatory" });
  const run = await api("POST", "/terraform/workspaces/demo/destroy", { message: "Take the shop down" });
  await runIn(api, run.id, ["policy_blocked"]);
  await requester.goto(runUrl(run.id));
  await requester.getByText("Blocked by blast_radius.").waitFor();
  const own = requester.getByRole("button", { name: "Override" });
  await own.waitFor();
  assert.equal(await own.getAttribute("aria-disabled"), "true");
  const { you } = (await api("GET", `/terraform/runs/${run.id}`)).approvals_detail;
  assert.equal(you.may_override, false);
  await requester.getByRole("region", { name: "Decision" }).getByText(you.why_not_override).first().waitFor();
  await assertAccessible(requester, "a blocked run for its requester");
  await picture(requester, "gate-blocked-light");

  await bo.goto(runUrl(run.id));
  await bo.getByText("Blocked by blast_radius.").waitFor();
  await bo.keyboard.press("o");
  const dialog = bo.getByRole("dialog", { name: "Override the policies" });
  await dialog.getByText(/deletes/).first().waitFor();
  const confirm = dialog.getByRole("button", { name: "Override" });
  assert.equal(await confirm.getAttribute("aria-disabled"), "true", "a reason is asked for");
  await dialog.getByLabel("Why the plan may go on").fill("The shop moves to the new region. CHG-2291.");
  await dialog.getByLabel("How long").selectOption({ label: "4 hours" });
  await assertAccessible(bo, "the override dialog");
  await picture(bo, "gate-override-dialog-dark");
  await confirm.click();
  await dialog.waitFor({ state: "detached" });
  await runIn(api, run.id, ["awaiting_approval"]);
  const overrides = rail(bo, "Policies").getByRole("list", { name: "Overrides" });
  await overrides.getByText("Bo Tanaka").waitFor();
  await overrides.getByText("“The shop moves to the new region. CHG-2291.”").waitFor();
  await overrides.getByText(/3 h \d\d min left/).waitFor();
  await rail(bo, "Policies").getByText("overridden", { exact: true }).waitFor();
  await bo.getByText("Policies deny this plan; Bo Tanaka overrode them.").waitFor();
  await assertAccessible(bo, "an overridden run");
  await picture(bo, "gate-overridden-dark");

  // What ends it is said, and the override stays where it was.
  await api("POST", "/terraform/policy-attachments", { policy_set_uri: "policies/no_public_buckets", enforcement_level: "advisory" });
  await runIn(api, run.id, ["policy_blocked"]);
  await overrides.getByText(/^Ended /).waitFor();
  await overrides.getByText("“The shop moves to the new region. CHG-2291.”").waitFor();
  await picture(bo, "gate-override-ended-dark");
  await api("POST", `/terraform/runs/${run.id}/discard`, {});
  await bo.getByText("Discarded").first().waitFor();
  await overrides.getByText("Bo Tanaka").waitFor();
});

test("policy sets are read, attached, and detached with friction", async () => {
  await requester.goto(`${up.url}/infra/terraform/policies`);
  await requester.getByRole("table", { name: "Policy attachments" }).waitFor();
  await assertAccessible(requester, "the policy attachments");
  await picture(requester, "policies-attachments-light");
  await requester.getByRole("button", { name: "Attach a policy set" }).click();
  const dialog = requester.getByRole("dialog", { name: "Attach a policy set" });
  await dialog.getByLabel("Policy set").selectOption("policies/required_tags");
  await dialog.getByRole("button", { name: "advisory" }).click();
  await dialog.getByRole("button", { name: "Workspace" }).click();
  await dialog.getByLabel("Workspace", { exact: true }).last().selectOption({ label: "demo" });
  await assertAccessible(requester, "the attach dialog");
  await dialog.getByRole("button", { name: "Attach" }).click();
  await dialog.waitFor({ state: "detached" });
  await requester.getByRole("link", { name: "required_tags" }).click();
  const pane = requester.getByRole("complementary", { name: "Attachment of required_tags" });
  await pane.getByText("package").first().waitFor();
  await assertAccessible(requester, "an attachment with its text");
  await picture(requester, "policies-attachment-light");
  await pane.getByRole("button", { name: "Detach" }).click();
  const friction = requester.getByRole("dialog", { name: "Detach a policy set" });
  assert.equal(await friction.getByRole("button", { name: "Detach" }).getAttribute("aria-disabled"), "true");
  await friction.getByLabel("Type required_tags").fill("required_tags");
  await friction.getByRole("button", { name: "Detach" }).click();
  await requester.getByRole("link", { name: "required_tags" }).waitFor({ state: "detached" });
  await ana.goto(`${up.url}/infra/terraform/policies`);
  const attach = ana.getByRole("button", { name: "Attach a policy set" });
  await attach.waitFor();
  assert.equal(await attach.getAttribute("aria-disabled"), "true", "an approver reads policies, and changes none");
});

test("a draft is tried on a plan as it is typed, survives a reload, and is rehearsed before it is attached", async () => {
  await requester.goto(`${up.url}/infra/terraform/policies`);
  await requester.getByRole("button", { name: /New draft/ }).click();
  const editor = requester.getByRole("textbox", { name: /^policy\.rego, editor/ });
  await editor.waitFor();
  await requester.getByRole("heading", { name: "Input document" }).waitFor();
  await editor.click();
  await requester.keyboard.press("Control+a");
  await requester.keyboard.insertText('package draft.creates\n\ndeny contains msg if {\n\tsome change in input.plan.resource_changes\n\t"delete" in change.change.actions\n\tmsg := sprintf("%s would go", [change.address])\n');
  await requester.locator(".cm-wrong-note").waitFor();
  await requester.getByText("Can't be evaluated: a plan would be blocked.").waitFor();
  await assertAccessible(requester, "a draft with an error");
  await picture(requester, "policies-draft-error-light");
  await requester.keyboard.press("Control+End");
  await requester.keyboard.insertText("}\n");
  await requester.getByText(/^Denies \d+ things/).waitFor();
  await requester.locator(".cm-wrong-note").waitFor({ state: "detached" });
  await picture(requester, "policies-draft-light");
  await requester.reload();
  await editor.getByText("draft.creates").waitFor();

  await requester.getByRole("link", { name: "Rehearse over past plans" }).click();
  await requester.getByRole("button", { name: "Rehearse", exact: true }).click();
  // The destroy was blocked then; each plan that only creates passes.
  await requester.getByText(/blocked, as then|would be blocked/).first().waitFor();
  await requester.getByRole("group", { name: /newly be blocked first/ }).getByRole("link").first().waitFor();
  await assertAccessible(requester, "a rehearsal beside a draft");
  await picture(requester, "policies-rehearsal-light");
  await requester.getByRole("button", { name: "Upload and attach" }).click();
  const dialog = requester.getByRole("dialog", { name: "Attach a policy set" });
  await dialog.getByRole("button", { name: "advisory" }).click();
  await dialog.getByRole("button", { name: "Attach" }).click();
  await requester.getByRole("table", { name: "Policy attachments" }).getByText("uploaded").waitFor();
});

test("the policies pages are accessible in both themes, and on a phone nothing stands out sideways", async () => {
  const state = await requester.context().storageState();
  const pages = [["attachments", ""], ["sets", "?tab=sets"], ["set", "?tab=sets&set=policies%2Fblast_radius"], ["drafts", "?tab=drafts"], ["rehearsals", "?tab=rehearsals"], ["draft", "/draft"]];
  for (const [look, size] of [["light", {}], ["dark", {}], ["phone", { width: 390, height: 844 }]]) {
    const page = await openPage(browser, { theme: look === "dark" ? "dark" : "light", storageState: state, ...size });
    for (const [name, path] of pages) {
      await page.goto(`${up.url}/infra/terraform/policies${path}`, { waitUntil: "networkidle" });
      await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
      await page.waitForTimeout(400);
      await assertAccessible(page, `policies ${name}, ${look}`);
      if (look === "phone") await assertNoSideways(page, `policies ${name}`);
      await picture(page, `policies-${name}-${look}`);
    }
    assert.deepEqual(page.troubles, [], `errors in the ${look} pages`);
    await page.context().close();
  }
});
