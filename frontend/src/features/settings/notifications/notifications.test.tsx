import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Delivery } from "@/lib/api/types";
import { deliveries, notifications } from "@/testing/fixtures/notifications";
import { me, NOW } from "@/testing/fixtures/people";
import { renderPage } from "@/testing/render";
import { changeOf, creation, formOf, missingOf } from "./form";
import { NotificationsTab } from "./notifications-tab";
import { answerWords, deliveryState, whereWords } from "./words";

const [onCall, , ledger] = notifications;
const [pending, test] = deliveries;
if (!onCall || !ledger || !pending || !test) throw new Error("the fixtures are gone");
const refused = (body: unknown, status = 422) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/problem+json" } });

it("sends of a changed destination what moved, and its filter whole", () => {
  expect(changeOf(onCall, formOf(onCall))).toEqual({});
  expect(changeOf(onCall, { ...formOf(onCall), name: "night", events: ["halted", "waiting"] })).toEqual({ name: "night", events: ["waiting", "halted"] });
  expect(changeOf(onCall, { ...formOf(onCall), where: "workspaces", workspaces: ["ws-b", "ws-a"] })).toEqual({ tag: null, workspaces: ["ws-a", "ws-b"] });
  expect(changeOf(ledger, { ...formOf(ledger), where: "every" })).toEqual({ tag: null, workspaces: null });
  expect(changeOf(onCall, { ...formOf(onCall), url: " https://hooks.example.org/2 " })).toEqual({ url: "https://hooks.example.org/2" });
});

it("says what is missing, and lets an address that stands be left empty", () => {
  const form = formOf(null);
  expect(missingOf(form, true)).toBe("Give it a name");
  expect(missingOf({ ...form, name: "a" }, true)).toBe("Give its address");
  expect(missingOf({ ...form, name: "a" }, false)).toBeNull();
  expect(missingOf({ ...form, name: "a", events: [] }, false)).toBe("Choose at least one event");
  expect(missingOf({ ...form, name: "a", where: "tag", tag: " " }, false)).toBe("Give the tag");
  expect(missingOf({ ...form, name: "a", where: "workspaces" }, false)).toBe("Choose at least one workspace");
  expect(creation({ ...form, name: "a", url: "https://a.example", tag: "prod" })).toMatchObject({ tag: null, workspaces: null });
});

it("tells a delivery's state and answer in words", () => {
  expect(deliveryState(pending, NOW)).toEqual({ word: "tries again in 1 min", tone: "wait" });
  expect(deliveryState({ ...pending, next_attempt_at: null }, NOW).word).toBe("being sent");
  expect(deliveryState({ ...pending, status: "dropped" }, NOW).tone).toBe("quiet");
  expect(answerWords(test)).toBe("answered 204 in 121 ms");
  expect(answerWords({ ...test, http_status: null, error: "It took too long." })).toBe("It took too long.");
  expect(whereWords({ tag: null, workspaces: ["a", "b", "c", "d"] }, new Map([["a", "net"], ["b", "db"]]))).toBe("net, db and 2 more");
});

it("asks the API for nothing without the right, and says who gives it", async () => {
  const { asked } = await renderPage(<NotificationsTab chosen={undefined} />, { person: { ...me, permissions: me.permissions.filter((each) => each !== "notifications:manage") } });
  await screen.findByText(/You lack the right notifications:manage/);
  expect(asked.some((each) => each.path.includes("notifications"))).toBe(false);
});

it("shows the API's errors at their fields, keeps what was typed, and shows the secret once", async () => {
  const answers: Record<string, unknown> = { "POST /terraform/notifications": refused({ status: 422, code: "outgoing_refused", title: "x", detail: "10.0.0.1 is not an address of the public internet." }) };
  const { asked } = await renderPage(<NotificationsTab chosen={undefined} />, { answers });
  fireEvent.click(await screen.findByRole("button", { name: "Add a destination" }));
  const dialog = await screen.findByRole("dialog", { name: "Add a destination" });
  fireEvent.change(within(dialog).getByLabelText("Name"), { target: { value: "pager" } });
  fireEvent.change(within(dialog).getByLabelText("Address"), { target: { value: "https://10.0.0.1/x" } });
  fireEvent.click(within(dialog).getByRole("button", { name: "Add" }));
  await within(dialog).findByText(/not an address of the public internet/);
  expect(within(dialog).getByLabelText("Address").getAttribute("aria-invalid")).toBe("true");
  answers["POST /terraform/notifications"] = refused({ status: 409, code: "notification_name_taken", title: "x", detail: "taken", errors: [{ field: "name", message: "is taken" }] }, 409);
  fireEvent.click(within(dialog).getByRole("button", { name: "Add" }));
  await within(dialog).findByText("is taken");
  answers["POST /terraform/notifications"] = { ...onCall, id: "nd-new", secret: "whsec_shown-once" };
  fireEvent.click(within(dialog).getByRole("button", { name: "Add" }));
  await screen.findByText("whsec_shown-once");
  expect(asked.filter((each) => each.method === "POST").at(-1)?.body).toEqual({ name: "pager", url: "https://10.0.0.1/x", format: "sluice", events: ["waiting", "blocked", "errored", "halted"], tag: null, workspaces: null });
  fireEvent.click(screen.getByRole("button", { name: "Done" }));
  expect(screen.queryByText("whsec_shown-once")).toBeNull();
});

it("says what a test was answered", async () => {
  const sent: Delivery = { ...test, id: "nv-new", status: "pending", attempts: 0, http_status: null, duration_ms: null, ended_at: null };
  await renderPage(<NotificationsTab chosen={undefined} />, { answers: { "POST /terraform/notifications/nd-01oncall/test": sent, "GET /terraform/notification-deliveries/nv-new": { ...test, id: "nv-new" } } });
  fireEvent.click(await screen.findByRole("button", { name: "Test on-call" }));
  expect((await screen.findByText("Test of on-call: answered 204 in 121 ms")).getAttribute("role")).toBe("status");
});

it("deletes only when the name was typed, and closes what a disabled destination would drop", async () => {
  const { asked } = await renderPage(<NotificationsTab chosen="nd-01ledger" />, { answers: { "GET /terraform/notifications/nd-01ledger/deliveries": { items: [{ ...pending, status: "failed" }], next_cursor: null }, "DELETE /terraform/notifications/nd-01ledger": undefined } });
  expect((await screen.findByRole("alert")).textContent).toContain("Nothing has arrived for a day");
  const again = await screen.findByRole("button", { name: "Send again" });
  expect(again.getAttribute("title")).toContain("disabled");
  fireEvent.click(again);
  fireEvent.click(screen.getByRole("button", { name: "Delete" }));
  const dialog = await screen.findByRole("dialog", { name: "Delete a destination" });
  fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
  expect(asked.some((each) => each.method !== "GET")).toBe(false);
  fireEvent.change(within(dialog).getByLabelText("Type ledger-desk"), { target: { value: "ledger-desk" } });
  fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
  await waitFor(() => expect(asked.filter((each) => each.method !== "GET").map((each) => each.method)).toEqual(["DELETE"]));
});
