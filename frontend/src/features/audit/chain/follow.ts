import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { ChainReport, Checkpoint } from "@/lib/api/types";

type Place = { after: number; previous: string } | null;

/** Where to go on; undefined at the chain's end, and where a page did not get on, which would be asked for ever. */
export function nextPlace(page: ChainReport, last: Place): Place | undefined {
  if (page.is_complete || page.head_hash === null || page.head_position <= (last?.after ?? 0)) return undefined;
  return { after: page.head_position, previous: page.head_hash };
}

/** The chain's verification, a page of events a request. */
export const chainQuery = infiniteQueryOptions({
  queryKey: [...keys.audit, "chain"],
  queryFn: ({ pageParam, signal }) => http.get<ChainReport>("/audit/chain", { after: pageParam?.after, previous: pageParam?.previous }, signal),
  initialPageParam: null as Place,
  getNextPageParam: (page: ChainReport, _pages: ChainReport[], last: Place) => nextPlace(page, last),
  staleTime: 5 * 60_000,
  refetchOnWindowFocus: false,
});

/** The newest signed checkpoint, if there is one. */
export const newestCheckpointQuery = queryOptions({
  queryKey: [...keys.audit, "checkpoint"],
  queryFn: async ({ signal }) => (await http.get<Page<Checkpoint>>("/audit/checkpoints", { limit: 1 }, signal)).items[0] ?? null,
  staleTime: 60_000,
});

export interface ChainState {
  checked: number;
  position: number;
  checkpointPosition: number;
  isComplete: boolean;
  findings: ChainReport["findings"];
}

/** What the pages say together. A checkpoint at which one of them agreed holds for what lies before it. */
export function chainState(pages: readonly ChainReport[]): ChainState {
  return {
    checked: pages.reduce((sum, page) => sum + page.checked, 0),
    position: pages.at(-1)?.head_position ?? 0,
    checkpointPosition: Math.max(0, ...pages.map((page) => page.checkpoint_position)),
    isComplete: pages.at(-1)?.is_complete ?? false,
    findings: pages.flatMap((page) => page.findings),
  };
}
