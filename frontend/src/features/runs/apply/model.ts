import { type Action, type ActionTone, actionLook, planAction } from "@/lib/actions";
import type { Estimate, PlanResource } from "@/lib/api/types";
import type { ApplyEvent } from "@/features/runs/log/events";

interface Segment {
  /** Milliseconds since the apply's first event. */
  from: number;
  to: number | null;
  tone: ActionTone;
}

export interface ApplyRow {
  address: string;
  action: Action;
  state: "waiting" | "active" | "done" | "errored" | "undone";
  word: string;
  segments: Segment[];
  elapsedMs: number | null;
  /** What it took in the workspace's last applies, in seconds; null where nothing alike is known. */
  usualSeconds: number | null;
}

export interface ApplyProgress {
  rows: ApplyRow[];
  done: number;
  active: number;
  waiting: number;
  failed: number;
  /** When the first resource began; null before. */
  startedAt: number | null;
}

const DOING: Record<string, string> = { create: "creating", update: "modifying", delete: "destroying", read: "reading" };
const DONE: Record<string, string> = { create: "created", update: "changed", delete: "destroyed", read: "read" };
const TONES: Record<string, ActionTone> = { create: "create", update: "change", delete: "destroy", read: "read" };

function verbOf(event: ApplyEvent, action: Action): string {
  if (event.action in DOING) return event.action;
  return action === "create" ? "create" : action === "destroy" ? "delete" : "update";
}

const RANK: Record<ApplyRow["state"], number> = { errored: 0, active: 1, done: 2, undone: 3, waiting: 4 };

/**
 * One row a resource: what it does now and when it did what. A replacement takes two steps, and is done only after
 * both. `ended` turns what never began into “not done”.
 */
export function applyProgress(resources: readonly PlanResource[], events: readonly ApplyEvent[], ended: boolean, estimate: Estimate | null = null): ApplyProgress {
  const byAddress = new Map<string, ApplyEvent[]>();
  for (const event of events) {
    const list = byAddress.get(event.address) ?? [];
    list.push(event);
    byAddress.set(event.address, list);
  }
  const first = events[0] ? Date.parse(events[0].at) : null;
  const usual = new Map(estimate?.resources.map((each) => [each.address, each.seconds]) ?? []);
  const rows: ApplyRow[] = [];
  for (const resource of resources) {
    const action = planAction(resource.action, resource.replace_order);
    if (action === "no-op" || action === "read" || action === "move" || action === "forget") continue;
    rows.push(rowOf(resource.address, action, byAddress.get(resource.address) ?? [], first ?? 0, ended, usual.get(resource.address) ?? null));
  }
  rows.sort((a, b) => RANK[a.state] - RANK[b.state] || (a.segments[0]?.from ?? 0) - (b.segments[0]?.from ?? 0));
  const of = (state: ApplyRow["state"]) => rows.filter((row) => row.state === state).length;
  return { rows, done: of("done"), active: of("active"), waiting: of("waiting") + of("undone"), failed: of("errored"), startedAt: first };
}

function rowOf(address: string, action: Action, events: readonly ApplyEvent[], first: number, ended: boolean, usualSeconds: number | null): ApplyRow {
  const segments: Segment[] = [];
  let state: ApplyRow["state"] = ended ? "undone" : "waiting";
  let word = ended ? "not done" : "waits";
  let finished = 0;
  const steps = actionLook(action).word === "replace" ? 2 : 1;
  for (const event of events) {
    const verb = verbOf(event, action);
    const at = Date.parse(event.at) - first;
    const open = segments.at(-1);
    if (event.type === "start") {
      segments.push({ from: at, to: null, tone: TONES[verb] ?? "change" });
      state = "active";
      word = DOING[verb] ?? "working";
    } else if (event.type === "complete") {
      if (open) open.to = at;
      finished += 1;
      state = finished >= steps ? "done" : "active";
      word = finished >= steps ? (steps === 2 ? "replaced" : (DONE[verb] ?? "done")) : (DONE[verb] ?? "done");
    } else if (event.type === "errored") {
      if (open) open.to = at;
      state = "errored";
      word = "failed";
    }
  }
  if (ended && state === "active") {
    state = "errored";
    word = "interrupted";
  }
  const begin = segments[0]?.from ?? null;
  const last = segments.at(-1)?.to ?? null;
  return { address, action, state, word, segments, elapsedMs: begin !== null && last !== null ? last - begin : null, usualSeconds };
}

/** Seconds that are left of an apply at `nowMs` after its first event; null where no estimate is. */
export function secondsLeft(progress: ApplyProgress, estimate: Estimate | null, nowMs: number): number | null {
  if (estimate?.seconds === null || estimate?.seconds === undefined) return null;
  const atOnce = estimate.at_once ?? 1;
  let work = 0;
  let longest = 0;
  for (const row of progress.rows) {
    if (row.state !== "waiting" && row.state !== "active") continue;
    const begun = row.segments[0]?.from;
    const left = Math.max(0, (row.usualSeconds ?? 0) - (begun === undefined ? 0 : (nowMs - begun) / 1000));
    work += left;
    longest = Math.max(longest, left);
  }
  return Math.max(work / atOnce, longest);
}
