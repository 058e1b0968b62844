/**
 * Notifications and the audit trail in a real browser: a destination is made against a receiver that listens, tested,
 * looked at, narrowed and deleted; the trail's chain is verified and exported.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { openBrowser } from "../../frontend/scripts/browser.mjs";
import { assertAccessible, assertNoSideways, openPage, picture } from "./page.mjs";
import { runIn, signIn } from "./people.mjs";
import { apiOf, startSluice } from "./sluice.mjs";

let up;
let api;
let browser;
let page;
let receiver;
const got = [];

before(async () => {
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      got.push({ headers: request.headers, body: JSON.parse(body) });
      response.writeHead(200, { "content-type": "text/plain" }).end("thank you");
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  [up, browser] = await Promise.all([startSluice({ settings: { SLUICE_OUTGOING_ALLOWED: `127.0.0.1:${receiver.address().port}` } }), openBrowser()]);
  api = apiOf(up);
  // The demo's plan that comes to the gate is told of, too: not in between what is sent here.
  await runIn(api, (await api("GET", "/terraform/runs")).items[0].id, ["awaiting_approval"]);
  page = await openPage(browser, { height: 1000 });
  await page.goto(up.login_url);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
});

after(async () => {
  await browser?.close();
  await up?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
});

afterEach(() => assert.deepEqual(page?.troubles.splice(0) ?? [], []));

test("a destination is made, its secret is shown once, and a test says what was answered", async () => {
  await page.goto(`${up.url}/settings?tab=notifications`);
  await page.getByText("Nobody is told.").waitFor();
  await assertAccessible(page, "no destination");
  await page.getByRole("button", { name: "Add a destination" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a destination" });
  await dialog.getByLabel("Name").fill("on-call");
  await dialog.getByLabel("Address").fill("https://10.0.0.1/x");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.getByText(/not an address of the public internet/).waitFor();
  // The browser itself notes the answer of 422.
  page.troubles.splice(0);
  await assertAccessible(page, "the form with an error");
  await picture(page, "notifications-form-light");
  await dialog.getByLabel("Address").fill(`http://127.0.0.1:${receiver.address().port}/sluice`);
  await dialog.getByRole("button", { name: "Chosen" }).click();
  await dialog.getByRole("checkbox", { name: "demo" }).check();
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const once = page.getByRole("dialog", { name: "Signing secret" });
  await once.getByText(/^whsec_/).waitFor();
  await assertAccessible(page, "the secret");
  await once.getByRole("button", { name: "Copy" }).click();
  await once.getByRole("button", { name: "Copied" }).waitFor();
  await once.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Test on-call" }).click();
  await page.getByText(/^Test of on-call: answered 200 in \d+ ms$/).waitFor();
  assert.equal(got.at(-1).body.type, "test");
  assert.ok(got.at(-1).headers["webhook-signature"].startsWith("v1,"));
  await assertAccessible(page, "the destinations");
  await picture(page, "notifications-light");
});

test("its deliveries are read and sent again, under the same id", async () => {
  await page.getByRole("link", { name: "on-call" }).click();
  const table = page.getByRole("table", { name: "Deliveries" });
  await table.getByText("thank you").waitFor();
  const before = got.length;
  await table.getByRole("button", { name: "Send again" }).click();
  for (let tries = 0; got.length === before && tries < 100; tries += 1) await page.waitForTimeout(100);
  assert.equal(got.at(-1).headers["webhook-id"], got.at(-2).headers["webhook-id"]);
  await assertAccessible(page, "a destination");
  await picture(page, "notification-light");
  await table.getByRole("button", { name: /^Delivery of/ }).first().click();
  const one = page.getByRole("dialog", { name: "Delivery" });
  await one.getByText('"type": "test"').waitFor();
  await assertAccessible(page, "a delivery");
  await one.getByRole("button", { name: /^Close/ }).last().click();
  await page.getByRole("button", { name: "Change" }).click();
  const dialog = page.getByRole("dialog", { name: "Change on-call" });
  await dialog.getByRole("button", { name: "Every" }).click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByText("every workspace").waitFor();
  assert.equal((await api("GET", "/terraform/notifications/on-call")).workspaces, null);
});

test("the pages hold in dark and on a phone, and are closed to who may not manage them", async () => {
  const state = await page.context().storageState();
  const { id } = await api("GET", "/terraform/notifications/on-call");
  for (const [look, size] of [["dark", { theme: "dark" }], ["phone", { width: 390, height: 844 }]]) {
    const other = await openPage(browser, { storageState: state, ...size });
    for (const [name, path] of [["notifications", "/settings?tab=notifications"], ["notification", `/settings?tab=notifications&notification=${id}`], ["audit", "/audit"]]) {
      await other.goto(up.url + path, { waitUntil: "networkidle" });
      await other.getByRole("heading", { level: 1 }).waitFor();
      await other.waitForTimeout(400);
      await assertAccessible(other, `${name}, ${look}`);
      if (look === "phone") await assertNoSideways(other, name);
      await picture(other, `${name}-${look}`);
    }
    assert.deepEqual(other.troubles, []);
    await other.context().close();
  }
  const ana = await signIn(browser, up, api, { name: "Ana Lindqvist", roles: ["approver"] });
  await ana.goto(`${up.url}/settings?tab=notifications`);
  await ana.getByText(/You lack the right notifications:manage/).waitFor();
  assert.deepEqual(ana.troubles, []);
  await ana.context().close();
});

test("a destination is deleted only when its name was typed", async () => {
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete a destination" });
  assert.equal(await dialog.getByRole("button", { name: "Delete" }).getAttribute("aria-disabled"), "true");
  await dialog.getByLabel("Type on-call").fill("on-call");
  await assertAccessible(page, "deleting a destination");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("Nobody is told.").waitFor();
});

test("the audit trail says how far its chain is intact, and is exported as JSON Lines", async () => {
  await page.goto(`${up.url}/audit?action=notification.*`);
  await page.getByText(/^Chain intact to position /).waitFor();
  await page.getByText("notification.removed").waitFor();
  await assertAccessible(page, "the audit trail");
  await page.getByRole("button", { name: "Export" }).click();
  await assertAccessible(page, "the export");
  await picture(page, "audit-export-light");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export" }).click()]);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.at(-1).type, "end");
  const actions = lines.map((line) => line.action ?? line.event?.action).filter(Boolean);
  assert.ok(actions.includes("notification.created"), actions.join());
  assert.ok(actions.every((action) => action.startsWith("notification.")), actions.join());
});
