import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Drill, HistoryWindow, Overview, OverviewHistory } from "@/lib/api/types";

export const overviewQuery = queryOptions({ queryKey: keys.overview, queryFn: ({ signal }) => http.get<Overview>("/terraform/overview", undefined, signal), refetchInterval: 5_000 });

export const historyQuery = (window: HistoryWindow) =>
  queryOptions({
    queryKey: [...keys.overview, "history", window],
    queryFn: ({ signal }) => http.get<OverviewHistory>("/terraform/overview/history", { window }, signal),
    refetchInterval: 60_000,
    placeholderData: keepPreviousData,
  });

/** What the canary has proven, newest first. */
export const drillHistoryQuery = queryOptions({
  queryKey: [...keys.halts, "drills", "history"],
  queryFn: ({ signal }) => http.get<Page<Drill>>("/terraform/halt/drills", { limit: 50 }, signal),
  refetchInterval: (query) => (query.state.data?.items[0]?.status === "running" ? 700 : 30_000),
});
