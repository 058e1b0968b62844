import { describe, expect, it } from "vitest";
import { changeTree, destructiveChanges } from "@/lib/plan/tree";
import { ledgerPlan } from "@/testing/fixtures/plan";
import { DEMO, LEDGER, runOf } from "@/testing/fixtures/runs";
import { gate } from "./gate";

const ledger = runOf(LEDGER);
const demo = runOf(DEMO);
const destructive = destructiveChanges(changeTree(ledgerPlan.resources));

describe("gate", () => {
  it("names the consequence", () => {
    expect(gate(ledger, destructive, 0, "").label).toBe("Approve, destroy 2, replace 2");
    expect(gate(demo, [], 0, "").label).toBe("Approve, create 3");
  });

  it("stays locked until each destructive change was seen and the whole name is typed", () => {
    expect(gate(ledger, destructive, 1, "prod-payments-db").missing).toBe("1 destructive change is not seen yet");
    expect(gate(ledger, destructive, 0, "").missing).toBe("The workspace's name is not typed");
    expect(gate(ledger, destructive, 0, "prod-pay").missing).toBe("The name is not typed in full");
    expect(gate(ledger, destructive, 0, "prod-payments-db").missing).toBeNull();
  });

  it("asks for neither when nothing is destroyed", () => {
    expect(gate(demo, [], 0, "")).toMatchObject({ destructive: false, missing: null });
  });

  it("trusts the run's own count when the plan view is not there yet", () => {
    expect(gate(ledger, [], 0, "").destructive).toBe(true);
    expect(gate(ledger, [], 0, "").missing).not.toBeNull();
  });

  it("says why a person can't approve, in the API's words", () => {
    const other = { ...ledger, allowed_actions: [], approvals_detail: ledger.approvals_detail && { ...ledger.approvals_detail, you: { ...ledger.approvals_detail.you, may_decide: false, why_not: "You requested it.", decision: null } } };
    expect(gate(other, destructive, 0, "prod-payments-db").missing).toBe("You requested it.");
  });

  it("closes when what the plan was made from has moved", () => {
    const stale = { ...demo, fingerprint: demo.fingerprint && { ...demo.fingerprint, is_current: false } };
    expect(gate(stale, [], 0, "").missing).toContain("Plan again");
  });

  it("says what the press sets off", () => {
    expect(gate(ledger, destructive, 0, "").effect).toContain("the apply starts at once");
    const more = { ...ledger, approvals_detail: ledger.approvals_detail && { ...ledger.approvals_detail, have: 0, need: 3 } };
    expect(gate(more, destructive, 0, "").effect).toBe("2 more approvals are needed after yours.");
  });

  it("names where a rollback goes back to, and asks for no name: nothing is destroyed", () => {
    const summary = { add: 0, change: 1, replace: 0, destroy: 0, import: 2, forget: 1 };
    const run = { ...ledger, kind: "rollback", target: { state_version_number: 3 }, summary };
    expect(gate(run, [], 0, "")).toMatchObject({ label: "Approve, roll back to version 3", destructive: false, missing: null });
  });
});
