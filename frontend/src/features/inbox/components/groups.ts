import type { Inbox, InboxItem } from "@/lib/api/types";

export interface Group {
  name: string;
  title: string;
  items: InboxItem[];
}

const TITLES: Record<string, string> = {
  awaiting_approval: "Awaiting your approval",
  policy_blocked: "Blocked by policy",
  failed: "Failed or halted",
  orphaned_locks: "Orphaned locks",
  unknown_resources: "Resources that no state knows",
  drift: "Drift",
};

/** Snoozed until a time (milliseconds), or done (0). Kept for the person, in this browser. */
export type Put = Record<string, number>;

export type View = "you" | "all" | "snoozed";

export function isAway(put: Put, id: string, now: number): boolean {
  const until = put[id];
  return until !== undefined && (until === 0 || until > now);
}

/** The inbox as it is shown: by what a person must do, without what was snoozed or done; or what was snoozed alone. */
export function shownGroups(inbox: Inbox | undefined, view: View, put: Put, now: number): Group[] {
  const keep = ({ run, for_you: mine }: InboxItem) => {
    if (view === "all") return true;
    const away = isAway(put, run.id, now);
    return view === "snoozed" ? away && put[run.id] !== 0 : mine && !away;
  };
  return (inbox?.groups ?? [])
    .map((group) => ({
      name: group.name,
      title: group.name === "awaiting_approval" && view === "all" ? "Awaiting approval" : (TITLES[group.name] ?? group.name.replaceAll("_", " ")),
      items: group.items.filter(keep),
    }))
    .filter((group) => group.items.length > 0);
}
