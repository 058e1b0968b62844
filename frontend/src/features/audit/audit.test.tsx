import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import type { ChainReport } from "@/lib/api/types";
import { renderPage } from "@/testing/render";
import { chainState, nextPlace } from "./chain/follow";
import { AuditView } from "./components/audit-view";
import { exportUrl } from "./components/export";

const report = (part: Partial<ChainReport>): ChainReport => ({ checked: 2, checkpoints: 1, checkpoint_position: 2, head_position: 2, head_hash: "aa", broken_at: null, finding: null, findings: [], is_complete: true, is_intact: true, message: "", row: null, waiting: 0, ...part });
const changed: ChainReport["findings"][number] = { finding: "changed", first_position: 3, last_position: 3, message: "The event at position 3 was changed.", row: { id: 71, position: 3, action: "run.approve", at: "2026-11-20T12:00:00Z" } };

it("goes on where a page ended, and never from the same place again", () => {
  expect(nextPlace(report({ is_complete: false }), null)).toEqual({ after: 2, previous: "aa" });
  expect(nextPlace(report({ is_complete: false }), { after: 2, previous: "aa" })).toBeUndefined();
  expect(nextPlace(report({}), null)).toBeUndefined();
});

it("sums what the pages say, and forgets no finding of an earlier one", () => {
  const state = chainState([report({ is_complete: false, findings: [changed] }), report({ head_position: 4, checkpoint_position: 0 })]);
  expect(state).toEqual({ checked: 4, position: 4, checkpointPosition: 2, isComplete: true, findings: [changed] });
});

it("names an export's address by what narrows it", () => {
  expect(exportUrl({ action: undefined, since: "", until: "" })).toBe("/audit/export");
  expect(exportUrl({ action: "run.*", since: "not a time", until: "" })).toBe("/audit/export?action=run.*");
  expect(exportUrl({ action: undefined, since: "2026-11-20T10:00", until: "" })).toBe(`/audit/export?since=${encodeURIComponent(new Date("2026-11-20T10:00").toISOString())}`);
});

it("says how far the chain is intact, and when its checkpoint was signed", async () => {
  await renderPage(<AuditView search={{}} onSearch={() => undefined} />);
  expect((await screen.findByText("Chain intact to position 48,112")).closest("[role=status]")).not.toBeNull();
  await screen.findByText(/signed up to position 48,112, /);
});

it("follows the pages to the end, and tells a finding with its row and position", async () => {
  let page = 0;
  const answers: Record<string, unknown> = {};
  Object.defineProperty(answers, "GET /audit/chain", { enumerable: true, get: () => ((page += 1) === 1 ? report({ is_complete: false }) : report({ head_position: 4, is_intact: false, findings: [changed], message: changed.message })) });
  const { asked } = await renderPage(<AuditView search={{}} onSearch={() => undefined} />, { answers });
  await screen.findByText("The event at position 3 was changed.");
  expect(screen.getByRole("alert").textContent).toMatch(/position 3, row 71: run\.approve/);
  expect(asked.filter((each) => each.path.startsWith("/audit/chain")).map((each) => each.path)).toEqual(["/audit/chain", "/audit/chain?after=2&previous=aa"]);
});

it("shows an event whole, with all of its evidence", async () => {
  const evidence = { stage: "plan", results: [{ outcome: "passed", denied: 0 }], reason: null };
  const event = { id: 7, at: "2026-11-20T12:00:00.123456Z", action: "policy.checked", actor: { id: "system", kind: "system", name: "Sluice" }, target: { id: "run-01a", kind: "run" }, evidence, source_address: null, chain_seq: 12, hash: "ab12", previous_hash: "00" };
  await renderPage(<AuditView search={{}} onSearch={() => undefined} />, { answers: { "GET /audit": { items: [event], next_cursor: null } } });
  await userEvent.click(await screen.findByRole("button", { name: "policy.checked" }));
  const dialog = await screen.findByRole("dialog", { name: "policy.checked" });
  within(dialog).getByText("position 12");
  within(dialog).getByText("2026-11-20 12:00:00 UTC");
  within(dialog).getByText("Sluice itself: no request");
  expect(within(dialog).getByRole("link", { name: "run-01a" }).getAttribute("href")).toBe("/infra/terraform/runs/run-01a");
  expect(JSON.parse(within(dialog).getByText(/"outcome"/).textContent)).toEqual(evidence.results);
  expect(within(dialog).queryByText("reason")).toBeNull();
});
