import type { Inbox, RunListItem } from "@/lib/api/types";

export interface Group {
  name: string;
  title: string;
  items: RunListItem[];
}

const TITLES: Record<string, string> = {
  awaiting_approval: "Awaiting your approval",
  policy_blocked: "Blocked by policy",
  failed: "Failed or halted",
  orphaned_locks: "Orphaned locks",
  drift: "Drift",
};

/** Snoozed until a time (milliseconds), or done (0). Kept for the person, in this browser. */
export type Put = Record<string, number>;

export function isAway(put: Put, id: string, now: number): boolean {
  const until = put[id];
  return until !== undefined && (until === 0 || until > now);
}

/** The inbox as it is shown: by what a person must do, newest first, without what was snoozed or done. */
export function shownGroups(inbox: Inbox | undefined, view: "you" | "snoozed", put: Put, now: number): Group[] {
  return (inbox?.groups ?? [])
    .map((group) => ({
      name: group.name,
      title: TITLES[group.name] ?? group.name.replaceAll("_", " "),
      items: group.items.filter((item) => (view === "snoozed") === isAway(put, item.id, now) && !(view === "snoozed" && put[item.id] === 0)),
    }))
    .filter((group) => group.items.length > 0);
}
