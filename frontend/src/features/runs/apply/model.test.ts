import { describe, expect, it } from "vitest";
import type { Estimate, ProgressRecord } from "@/lib/api/types";
import { readEvent } from "@/features/runs/log/events";
import { applyLog } from "@/testing/fixtures/progress";
import { ledgerPlan } from "@/testing/fixtures/plan";
import { applyProgress, secondsLeft } from "./model";
import { ticks } from "./table";

const eventsOf = (records: ProgressRecord[]) => records.flatMap((each) => readEvent(each.at, each.data) ?? []);

describe("applyProgress", () => {
  const events = eventsOf(applyLog());

  it("counts what is done, in hand and waiting", () => {
    const { done, active, waiting, failed, rows } = applyProgress(ledgerPlan.resources, events, false);
    expect({ done, active, waiting, failed, all: rows.length }).toEqual({ done: 6, active: 3, waiting: 2, failed: 0, all: 11 });
  });

  it("holds a replacement open until both of its steps are done", () => {
    const replica = applyProgress(ledgerPlan.resources, events, false).rows.find((row) => row.address.includes("replica["));
    expect(replica?.segments.map((segment) => segment.tone)).toEqual(["destroy", "create"]);
    expect([replica?.state, replica?.word, replica?.segments[1]?.to]).toEqual(["active", "creating", null]);
  });

  it("says after the end what was interrupted and what was never begun", () => {
    const { rows, waiting, failed } = applyProgress(ledgerPlan.resources, events, true);
    expect({ waiting, failed }).toEqual({ waiting: 2, failed: 3 });
    expect(rows.filter((row) => row.state === "undone").map((row) => row.word)).toEqual(["not done", "not done"]);
  });

  it("shows an error of the engine as failed", () => {
    const at = "2026-11-20T14:00:00Z";
    const failed = applyProgress(ledgerPlan.resources, [{ at, type: "start", address: "module.kms.aws_kms_key.ledger", action: "create", elapsed: null, id: null }, { at, type: "errored", address: "module.kms.aws_kms_key.ledger", action: "create", elapsed: null, id: null }], false);
    expect(failed.rows[0]).toMatchObject({ state: "errored", word: "failed" });
  });
});

it.each([[0.3, { step: 0.1, end: 0.3 }], [270, { step: 120, end: 360 }], [3, { step: 1, end: 3 }]])("an axis of %d seconds has round ticks", (seconds, axis) => {
  const made = ticks(seconds);
  expect(made.step).toBe(axis.step);
  expect(made.end).toBeCloseTo(axis.end);
});

describe("secondsLeft", () => {
  const rows = applyProgress(ledgerPlan.resources, eventsOf(applyLog()), false).rows;
  const estimate: Estimate = {
    seconds: 60, usual_seconds: 60, at_once: 2, applies: [{ run_id: "run-0", seconds: 60 }],
    resources: rows.map((row) => ({ address: row.address, action: "create", seconds: 10_000, basis: "address" as const })),
  };
  const progress = applyProgress(ledgerPlan.resources, eventsOf(applyLog()), false, estimate);

  it("counts what waits and what is in hand, as many at once as there used to be", () => {
    // Five are not done; three of them began some time ago.
    const left = secondsLeft(progress, estimate, 1_000_000) ?? 0;
    expect(left).toBeGreaterThan(20_000);
    expect(left).toBeLessThan(25_000);
  });

  it("says nothing without a history", () => {
    expect(secondsLeft(progress, null, 0)).toBeNull();
    expect(secondsLeft(progress, { ...estimate, seconds: null }, 0)).toBeNull();
  });
});
