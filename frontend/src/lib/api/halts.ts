import { queryOptions } from "@tanstack/react-query";
import { http } from "./http";
import { keys } from "./keys";
import type { Halt } from "./types";

/** Halts that stand now. Asked often: the banner must not be late. */
export const haltsQuery = queryOptions({
  queryKey: keys.halts,
  queryFn: ({ signal }) => http.get<{ active: Halt[] }>("/terraform/halt", undefined, signal),
  refetchInterval: (query) => ((query.state.data?.active.length ?? 0) > 0 ? 1_000 : 5_000),
});

export function raiseHalt(body: { scope: Halt["scope"]; workspace?: string; reason: string }): Promise<Halt> {
  return http.post<Halt>("/terraform/halt", body);
}

export function resumeHalt(body: { scope: Halt["scope"]; workspace?: string; reason: string }): Promise<Halt> {
  return http.post<Halt>("/terraform/resume", body);
}

/** Whether one of the halts stops new work in a workspace. */
export function haltOver(active: readonly Halt[], workspaceId: string): Halt | undefined {
  return active.find((halt) => halt.scope !== "workspace" || halt.scope_id === workspaceId);
}
