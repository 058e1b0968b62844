import { queryOptions } from "@tanstack/react-query";
import { isFinal, isWorking } from "@/lib/run-status";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { Estimate, PlanView, Run, RunListItem } from "./types";

/** One run. The stream tells of changes at once; the interval is for what no stream carries (approvals of others). */
export const runQuery = (id: string) =>
  queryOptions({
    queryKey: keys.run(id),
    queryFn: ({ signal }) => http.get<Run>(`/terraform/runs/${id}`, undefined, signal),
    refetchInterval: (query) => {
      const run = query.state.data;
      if (!run) return 5_000;
      if (isWorking(run.status)) return 2_000;
      return isFinal(run.status) ? (run.quiesced_at ? false : 5_000) : 5_000;
    },
  });

/** A plan never changes: it is read once. */
export const planQuery = (id: string, enabled: boolean) =>
  queryOptions({
    queryKey: keys.plan(id),
    queryFn: ({ signal }) => http.get<PlanView>(`/terraform/runs/${id}/plan`, undefined, signal),
    staleTime: Infinity,
    enabled,
    retry: 1,
  });

/** What the apply of a plan is likely to take, from the workspace's last applies. */
export const estimateQuery = (id: string, enabled: boolean) =>
  queryOptions({
    queryKey: keys.estimate(id),
    queryFn: ({ signal }) => http.get<Estimate>(`/terraform/runs/${id}/estimate`, undefined, signal),
    staleTime: Infinity,
    enabled,
    retry: false,
  });

export const runsQuery = (filter: { workspace?: string; status?: string; limit?: number }) =>
  queryOptions({
    queryKey: [...keys.runs, filter],
    queryFn: ({ signal }) => http.get<Page<RunListItem>>("/terraform/runs", { ...filter }, signal),
    refetchInterval: 5_000,
  });

export interface RunRequest {
  workspace: string;
  kind: "plan" | "destroy" | "refresh";
  message?: string;
  speculative?: boolean;
}

/** Asks for a run. The key makes a second press, or a retry after a lost answer, the same request. */
export function requestRun(body: RunRequest, idempotencyKey: string): Promise<Run> {
  return http.post<Run>("/terraform/runs", { ...body, source: "ui" }, idempotencyKey);
}

export function decide(id: string, verb: "approve" | "reject" | "revoke", body: { comment?: string; fingerprint?: string | undefined }): Promise<Run> {
  return http.post<Run>(`/terraform/runs/${id}/${verb}`, body);
}

export function overrideRun(id: string, body: { reason: string; expires_in_seconds: number; fingerprint?: string | undefined }): Promise<Run> {
  return http.post<Run>(`/terraform/runs/${id}/override`, body);
}

export function stopRun(id: string, verb: "discard" | "cancel", reason: string): Promise<Run> {
  return http.post<Run>(`/terraform/runs/${id}/${verb}`, reason ? { reason } : {});
}
