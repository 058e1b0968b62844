import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { followHalts, haltsQuery } from "@/lib/api/halts";
import { useMe } from "@/lib/api/session";
import type { Halt } from "@/lib/api/types";
import { workspaceNamesQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";

/** Keeps the halts fresh for as long as the page stands; once a page. */
export function useFollowedHalts(): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    const follower = followHalts(queryClient);
    follower.start();
    return () => follower.stop();
  }, [queryClient]);
}

/** Seconds until every process of a halt is dead at the latest: the server's count, run on between its answers whatever this machine's clock says. */
export function useSecondsLeft(halt: Halt): number {
  const { dataUpdatedAt } = useQuery(haltsQuery);
  const at = useNow(1_000);
  return Math.max(0, halt.seconds_left - Math.max(0, at - dataUpdatedAt) / 1000);
}

/** Names the workspaces of halts; asked for only where a name is needed. */
export function useWorkspaceName(needed: boolean): (id: string) => string {
  const names = useQuery({ ...workspaceNamesQuery, enabled: needed }).data?.items;
  return (id) => names?.find((each) => each.id === id)?.name ?? id;
}

/** The processes that a halt had to end, of how many the death is known, and how many of its runs had none. */
export function processesOf({ runs }: Halt): { dead: number; presumed: number; all: number; none: number } {
  const dead = runs.dead - runs.had_ended;
  return { dead, presumed: runs.presumed, all: dead + runs.presumed + runs.dying, none: runs.never_started + runs.had_ended };
}

/** What a halt stops, in words. */
export function useScopeWords(halt: Halt): string {
  const organization = useMe().organization.name;
  const nameOf = useWorkspaceName(halt.scope === "workspace");
  if (halt.scope === "everything") return "Everything";
  return halt.scope === "organization" ? organization : `Workspace ${nameOf(halt.scope_id)}`;
}
