import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { SpecDiff, SpecVersion, Stack, WorkspaceRow } from "@/lib/api/types";

export const stacksQuery = queryOptions({
  queryKey: keys.stacks,
  queryFn: ({ signal }) => http.get<Page<Stack>>("/terraform/stacks", { limit: 200 }, signal),
  refetchInterval: 15_000,
});

export const stackQuery = (id: string) =>
  queryOptions({
    queryKey: keys.stack(id),
    queryFn: ({ signal }) => http.get<Stack>(`/terraform/stacks/${id}`, undefined, signal),
  });

export const versionsQuery = (stack: string) =>
  queryOptions({
    queryKey: [...keys.stack(stack), "versions"],
    queryFn: ({ signal }) => http.get<Page<SpecVersion>>(`/terraform/stacks/${stack}/versions`, { limit: 100 }, signal),
  });

/** Two versions never change, nor what lies between them. */
export const diffQuery = (a: string, b: string) =>
  queryOptions({
    queryKey: ["spec-diff", a, b],
    queryFn: ({ signal }) => http.get<SpecDiff>(`/terraform/spec-versions/${a}/diff/${b}`, undefined, signal),
    staleTime: Infinity,
  });

export const pinnedQuery = (stack: string) =>
  queryOptions({
    queryKey: [...keys.workspaces, { stack }],
    queryFn: ({ signal }) => http.get<Page<WorkspaceRow>>("/terraform/workspaces", { stack_id: stack, limit: 100 }, signal),
    refetchInterval: 10_000,
  });
