import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { Drill, Halt } from "./types";

/** Halts that stand now. Asked often: the banner must not be late. */
export const haltsQuery = queryOptions({
  queryKey: keys.halts,
  queryFn: ({ signal }) => http.get<{ active: Halt[]; ending: Halt[] }>("/terraform/halt", undefined, signal),
  refetchInterval: (query) => ((query.state.data?.active.length ?? 0) > 0 ? 1_000 : 5_000),
});

export function raiseHalt(body: { scope: Halt["scope"]; workspace?: string; reason: string }): Promise<Halt> {
  return http.post<Halt>("/terraform/halt", body);
}

export function resumeHalt(body: { scope: Halt["scope"]; workspace?: string; reason: string }): Promise<Halt> {
  return http.post<Halt>("/terraform/resume", body);
}

/** The newest drills of the kill switch, while one runs asked for often. */
export const drillsQuery = queryOptions({
  queryKey: [...keys.halts, "drills"],
  queryFn: ({ signal }) => http.get<Page<Drill>>("/terraform/halt/drills", { limit: 3 }, signal),
  refetchInterval: (query) => (query.state.data?.items[0]?.status === "running" ? 700 : false),
});

export function beginDrill(): Promise<Drill> {
  return http.post<Drill>("/terraform/halt/drills", {});
}

/** Whether one of the halts stops new work in a workspace. */
export function haltOver(active: readonly Halt[], workspaceId: string): Halt | undefined {
  return active.find((halt) => halt.scope !== "workspace" || halt.scope_id === workspaceId);
}
