import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { http, type Page, request } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Evaluation, PolicyAttachment, PolicySet, PolicySource, Rehearsal, RehearsalResult, RunListItem } from "@/lib/api/types";

export type Level = PolicyAttachment["enforcement_level"];
export const LEVELS: readonly Level[] = ["hard-mandatory", "soft-mandatory", "advisory"];
export const LEVEL_WORDS: Record<Level, string> = {
  "hard-mandatory": "Blocks the plan. Nobody can override it.",
  "soft-mandatory": "Blocks the plan, until a second person overrides it with a reason.",
  advisory: "Says what it finds, and blocks nothing.",
};

export const attachmentsQuery = queryOptions({
  queryKey: keys.attachments,
  queryFn: ({ signal }) => http.get<Page<PolicyAttachment>>("/terraform/policy-attachments", { limit: 200 }, signal),
  refetchInterval: 15_000,
});

export const setsQuery = queryOptions({
  queryKey: keys.policySets,
  queryFn: ({ signal }) => http.get<PolicySet[]>("/terraform/policy-sets", undefined, signal),
  staleTime: 10_000,
});

/** The text of a set as it is now. */
export const setSourceQuery = (uri: string) =>
  queryOptions({
    queryKey: [...keys.policySets, "source", uri],
    queryFn: ({ signal }) => http.get<PolicySource>("/terraform/policy-sets/source", { policy_set_uri: uri }, signal),
    staleTime: 10_000,
  });

/** The text that an attachment is pinned to; another digest is another text. */
export const pinnedSourceQuery = (attachment: Pick<PolicyAttachment, "id" | "bundle_digest">) =>
  queryOptions({
    queryKey: [...keys.attachments, attachment.id, "source", attachment.bundle_digest],
    queryFn: ({ signal }) => http.get<PolicySource>(`/terraform/policy-attachments/${attachment.id}/source`, undefined, signal),
    staleTime: Infinity,
  });

interface AttachBody {
  policy_set_uri: string;
  enforcement_level: Level;
  workspace?: string;
  tag?: string;
  waives_unevaluable?: boolean;
}

export const attach = (body: AttachBody) => http.post<PolicyAttachment>("/terraform/policy-attachments", body);
export const sync = (id: string) => http.post<{ attachment: PolicyAttachment; is_changed: boolean }>(`/terraform/policy-attachments/${id}/sync`);
export const detach = (id: string) => http.delete<undefined>(`/terraform/policy-attachments/${id}`);
export const uploadBundle = (name: string, bundle: Blob) => request<PolicySet>("POST", "/terraform/policy-bundles", { query: { name }, raw: bundle, rawType: "application/x-tar" });

/** Runs that have a plan, newest first: what a draft can be tried on. */
export const plannedRunsQuery = queryOptions({
  queryKey: [...keys.runs, "planned"],
  queryFn: async ({ signal }) => (await http.get<Page<RunListItem>>("/terraform/runs", { limit: 100 }, signal)).items.filter((run) => run.planned_at !== null && run.kind !== "apply"),
  staleTime: 10_000,
});

interface DraftBody {
  files: Record<string, string>;
  data?: string;
}

export const inputQuery = (run: string) =>
  queryOptions({
    queryKey: [...keys.run(run), "policy-input"],
    queryFn: ({ signal }) => http.get<unknown>(`/terraform/runs/${run}/policy-input`, undefined, signal),
    staleTime: Infinity,
    retry: false,
  });

export const evaluate = (body: DraftBody & ({ run_id: string } | { input: Record<string, unknown> })) => http.post<Evaluation>("/terraform/policies/evaluate", body);

export interface RehearsalBody {
  draft?: DraftBody;
  policy_set_uri?: string;
  enforcement_level: Level;
  workspaces?: string[];
  tag?: string;
  last: number;
}

export const startRehearsal = (body: RehearsalBody) => http.post<Rehearsal>("/terraform/rehearsals", body);
export const cancelRehearsal = (id: string) => http.post<Rehearsal>(`/terraform/rehearsals/${id}/cancel`);
export const rehearsalEnded = (rehearsal: Pick<Rehearsal, "status">) => rehearsal.status !== "queued" && rehearsal.status !== "running";

export const rehearsalsQuery = queryOptions({
  queryKey: keys.rehearsals,
  queryFn: ({ signal }) => http.get<Page<Rehearsal>>("/terraform/rehearsals", { limit: 100 }, signal),
  refetchInterval: (query) => (query.state.data?.items.some((each) => !rehearsalEnded(each)) ? 2_000 : 15_000),
});

export const rehearsalQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.rehearsals, id],
    queryFn: ({ signal }) => http.get<Rehearsal>(`/terraform/rehearsals/${id}`, undefined, signal),
    refetchInterval: (query) => (query.state.data && rehearsalEnded(query.state.data) ? false : 700),
  });

/** What came out so far; read again as more is done, and at the end once more. */
export const resultsQuery = (rehearsal: Pick<Rehearsal, "id" | "done" | "status">) =>
  infiniteQueryOptions({
    queryKey: [...keys.rehearsals, rehearsal.id, "results", rehearsalEnded(rehearsal) ? "all" : rehearsal.done],
    queryFn: ({ pageParam, signal }) => http.get<Page<RehearsalResult>>(`/terraform/rehearsals/${rehearsal.id}/results`, { limit: 200, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page: Page<RehearsalResult>) => page.next_cursor,
    enabled: rehearsal.done > 0,
    placeholderData: keepPreviousData,
  });
