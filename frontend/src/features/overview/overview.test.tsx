import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { bandName } from "./components/waiting-chart";
import { OverviewView } from "./components/overview-view";
import { botsHealth, liveTokens, queueHealth } from "./health";
import { bucketName, endedIn, roundSpan, roundUp, totals } from "./outcomes";
import type { Drill, Overview, Token } from "@/lib/api/types";
import { drillSeconds } from "@/lib/drill";
import { span } from "@/lib/format";
import { ago, ci, jonas, me, NOW } from "@/testing/fixtures/people";
import { renderPage } from "@/testing/render";

const bucket = (outcomes: Record<string, number>) => ({ start: "2026-11-21T00:00:00Z", outcomes, lead_p50_seconds: null, lead_p90_seconds: null });
const token = (over: Partial<Token> = {}): Token => ({ id: "tok-1", name: "ci", owner: { ...ci, kind: "service_account" }, permissions: null, expires_at: null, last_used_at: null, revoked_at: null, created_at: ago(9000), ...over });
const inDays = (days: number) => new Date(NOW + days * 86_400_000).toISOString();
const overview = (over: Partial<Overview> = {}): Overview => ({ runs_by_status: {}, runs_by_phase: {}, queue_depth: 0, oldest_queued_seconds: null, running: 0, workspaces: 1, open_recovery_items: 0, engine: "tofu 1.12.6", ...over });

describe("the outcomes", () => {
  it("count what ended, and leave out what never did", () => {
    const buckets = [bucket({ applied: 3, errored: 1 }), bucket({ applied: 2, superseded: 1, discarded: 1 })];
    expect(buckets.map(endedIn)).toEqual([4, 4]);
    expect(totals(buckets).map(({ outcome, runs }) => [outcome.word, runs])).toEqual([["applied", 5], ["discarded or superseded", 2], ["errored", 1]]);
  });

  it("are drawn against round numbers, and named by the hour or the day in UTC", () => {
    expect([0, 1, 3, 11, 43, 99, 101].map(roundUp)).toEqual([1, 1, 4, 20, 50, 100, 200]);
    expect([0.4, 61, 130, 4000, 700_000].map(roundSpan)).toEqual([2, 120, 600, 7200, 1_209_600]);
    expect([0.4, 7, 25, 61, 130, 4000, 80_000, 200_000].map((seconds) => span((roundSpan(seconds) / 2) * 1000))).toEqual(["1 s", "5 s", "15 s", "1 min", "5 min", "1 h", "12 h", "2 d"]);
    expect(bucketName("2026-11-21T00:00:00Z", 86_400)).toBe("21 Nov");
    expect(bucketName("2026-11-21T07:30:00", 3600)).toBe("07:30");
  });

  it("name the bands of waiting plans", () => {
    const bands: [number, number | null][] = [[0, 900], [900, 3600], [3600, 14_400], [14_400, 86_400], [86_400, null]];
    expect(bands.map(([from_seconds, to_seconds]) => bandName({ from_seconds, to_seconds }))).toEqual(["under 15 min", "15 to 60 min", "1 to 4 h", "4 to 24 h", "over 24 h"]);
  });
});

describe("the health of the parts", () => {
  it("counts the tokens of machines that work, and says which ends first", () => {
    const tokens = [token(), token({ id: "tok-2", expires_at: inDays(3) }), token({ id: "tok-3", revoked_at: ago(1) }), token({ id: "tok-4", expires_at: ago(5) }), token({ id: "tok-5", owner: { ...jonas, kind: "person" } })];
    expect([...liveTokens(tokens, NOW).values()].map((held) => held.length)).toEqual([2]);
    expect(botsHealth(tokens, NOW)).toEqual({ note: `${ci.name}'s token ends in 3 d`, trouble: true });
    expect(botsHealth([token({ expires_at: inDays(30) })], NOW)).toEqual({ note: "no token ends within a week", trouble: false });
    expect(botsHealth([], NOW)).toEqual({ note: "no bot has a token", trouble: false });
  });

  it("says that the queue stands when nobody works on it, or something waits for long", () => {
    const workers = { count: 1, concurrency: 4, busy: 0 };
    const queue = { queued: 1, executing: 0, effective_limit: null, own_limit: null, default_limit: null, is_default: true, workers };
    expect(queueHealth(overview(), queue)).toEqual({ note: "nothing waits, workers 0 of 4", trouble: false });
    expect(queueHealth(overview({ oldest_queued_seconds: 61 }), queue).trouble).toBe(true);
    expect(queueHealth(overview(), { ...queue, workers: { count: 0, concurrency: 0, busy: 0 } })).toEqual({ note: "no worker was heard of", trouble: true });
  });

  it("takes a drill's time from the call to the proof, and none where it did not come so far", () => {
    const step = (name: string, seconds: number) => ({ name, seconds, status: "passed", detail: "" });
    expect(drillSeconds({ steps: [step("plan", 2), step("halt", 0.2), step("death", 0.9)] } as unknown as Drill)).toBeCloseTo(1.1);
    expect(drillSeconds({ steps: [step("plan", 2)] } as unknown as Drill)).toBeNull();
  });
});

describe("/infra", () => {
  it("has a tab for each part, with what each holds, and figures of what became of runs", async () => {
    await renderPage(<OverviewView tab={undefined} window={undefined} />, { answers: { "GET /terraform/halt/drills": { items: [], next_cursor: null } } });
    const tabs = await screen.findByRole("navigation", { name: "Parts of the installation" });
    await within(tabs).findByText("3 waiting");
    expect(within(tabs).getAllByRole("link").map((link) => link.textContent)).toEqual(["Overview", "Bots1", "Queues3 waiting", "Pipeline2 running", "Canary"]);
    expect((await screen.findByRole("img", { name: /^Runs that ended: \d+ applied/ })).textContent).toContain("0");
    expect(screen.getByRole("region", { name: "Approvals waiting, by age" }).textContent).toContain("11 now");
    expect(await screen.findByText("the switch has not been drilled")).toBeTruthy();
  });

  it("says nothing of drills to those who may not see them", async () => {
    const { asked } = await renderPage(<OverviewView tab={undefined} window={undefined} />, { person: { ...me, permissions: me.permissions.filter((each) => each !== "halt:read") } });
    await screen.findByText("runs at work");
    expect(screen.queryByText("the switch has not been drilled")).toBeNull();
    expect(asked.some(({ path }) => path.startsWith("/terraform/halt/drills"))).toBe(false);
  });

  it("says in each part what could not be read, and goes on with the rest", async () => {
    const answers = { "GET /terraform/overview": Response.json({ detail: "The database is away." }, { status: 503 }) };
    for (const [tab, title] of [[undefined, "The installation could not be read."], ["queues", "The figures could not be read."], ["pipeline", "The phases could not be read."]] as const) {
      const { unmount } = await renderPage(<OverviewView tab={tab} window={undefined} />, { answers });
      await screen.findByText(title);
      expect(screen.getAllByText(/The database is away/).length).toBeGreaterThan(0);
      expect(await screen.findAllByRole("table")).toBeTruthy();
      unmount();
    }
  });

  it("keeps from those who may not see tokens what tokens there are", async () => {
    const { asked } = await renderPage(<OverviewView tab="bots" window={undefined} />, { person: { ...me, permissions: me.permissions.filter((each) => each !== "tokens:manage") } });
    await screen.findByText(/Their tokens are shown to those who manage tokens/);
    expect(screen.queryByRole("columnheader", { name: "Tokens" })).toBeNull();
    expect(asked.some(({ path }) => path.startsWith("/tokens"))).toBe(false);
  });
});
