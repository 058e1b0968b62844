import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { RecoveryItem, RunRecovery } from "./types";

/** Resources that dead applies may have left and no state knows: of one workspace, or of the whole organization. */
export const recoveryQuery = (workspace: string | null, status: RecoveryItem["status"] | null) =>
  infiniteQueryOptions({
    queryKey: [...keys.recovery, { workspace, status }],
    queryFn: ({ pageParam, signal }) => http.get<Page<RecoveryItem>>("/terraform/recovery/resources", { workspace, status, limit: 200, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page: { next_cursor: string | null }): string | null => page.next_cursor,
    refetchInterval: 10_000,
  });

/** What one run's apply may have left. Asked again until it is complete: an apply that dies is told of bit by bit. */
export const runRecoveryQuery = (run: string) =>
  queryOptions({
    queryKey: [...keys.recovery, "run", run],
    queryFn: ({ signal }) => http.get<RunRecovery>(`/terraform/runs/${run}/recovery`, undefined, signal),
    refetchInterval: ({ state }) => (state.data?.is_complete ? false : 4_000),
  });

export const dismissRecoveryItem = (id: string, reason: string) => http.post<RecoveryItem>(`/terraform/recovery/resources/${id}/dismiss`, { reason });

/** What an item is about, as a sentence without its subject. */
export function outcomeWords(item: Pick<RecoveryItem, "outcome" | "change">): string {
  if (item.outcome === "created") return "created";
  if (item.outcome === "destroyed") return "destroyed";
  return { create: "may exist", update: "may have changed", delete: "may be gone" }[item.change];
}

/** How many resources a person must look at, in words. */
export function leftWords(count: number, more = false): string {
  return count === 1 && !more ? "1 resource may exist that no state knows" : `${count}${more ? "+" : ""} resources may exist that no state knows`;
}

/** Every import block of the items, ready to paste; what lacks its id as a comment. */
export function importBlocks(items: readonly RecoveryItem[]): string {
  return items
    .map((item) => item.import_block ?? (item.import_template ? `${item.address}: ${item.reason}\n${item.import_template}`.trimEnd().split("\n").map((line) => `# ${line}\n`).join("") : null))
    .filter((block) => block !== null)
    .join("\n");
}
