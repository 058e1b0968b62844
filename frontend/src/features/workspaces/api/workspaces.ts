import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { OutputValue, PolicyAttachment, Stack, Team, Variable, Workspace, WorkspaceChange, WorkspaceRow } from "@/lib/api/types";

interface WorkspaceFilter {
  search?: string | undefined;
  status?: string | undefined;
  tag?: string | undefined;
  stack?: string | undefined;
}

export const workspacesQuery = (filter: WorkspaceFilter) =>
  queryOptions({
    queryKey: [...keys.workspaces, filter],
    queryFn: ({ signal }) => http.get<Page<WorkspaceRow>>("/terraform/workspaces", { search: filter.search, status: filter.status, tag: filter.tag, stack_id: filter.stack, limit: 200 }, signal),
    refetchInterval: 4_000,
    placeholderData: keepPreviousData,
  });

export const stacksQuery = queryOptions({
  queryKey: [...keys.stacks, "names"],
  queryFn: ({ signal }) => http.get<Page<Stack>>("/terraform/stacks", { limit: 200 }, signal),
});

export const teamsQuery = queryOptions({
  queryKey: keys.teams,
  queryFn: ({ signal }) => http.get<Page<Team>>("/teams", { limit: 200 }, signal),
});

export const variablesQuery = (workspace: string) =>
  queryOptions({
    queryKey: [...keys.workspace(workspace), "variables"],
    queryFn: ({ signal }) => http.get<Variable[]>(`/terraform/workspaces/${workspace}/variables`, undefined, signal),
  });

export const outputsQuery = (workspace: string) =>
  queryOptions({
    queryKey: [...keys.workspace(workspace), "outputs"],
    queryFn: ({ signal }) => http.get<OutputValue[]>(`/terraform/workspaces/${workspace}/outputs`, undefined, signal),
    refetchInterval: 10_000,
  });

export const attachmentsQuery = queryOptions({
  queryKey: keys.attachments,
  queryFn: ({ signal }) => http.get<Page<PolicyAttachment>>("/terraform/policy-attachments", { limit: 200 }, signal),
});

interface NewWorkspace {
  name: string;
  stack: string;
  description: string;
  tags: string[];
  required_approvals?: number;
}

export const createWorkspace = (body: NewWorkspace) => http.post<Workspace>("/terraform/workspaces", body);
export const changeWorkspace = (id: string, body: WorkspaceChange) => http.patch<Workspace>(`/terraform/workspaces/${id}`, body);
export const deleteWorkspace = (id: string) => http.delete<undefined>(`/terraform/workspaces/${id}`);

interface VariableBody {
  value: string;
  is_sensitive: boolean;
  is_hcl: boolean;
  description: string;
}

const variablePath = (workspace: string, kind: string, key: string) => `/terraform/workspaces/${workspace}/variables/${kind}/${encodeURIComponent(key)}`;
export const setVariable = (workspace: string, kind: string, key: string, body: VariableBody) => http.put<Variable>(variablePath(workspace, kind, key), body);
export const deleteVariable = (workspace: string, kind: string, key: string) => http.delete<undefined>(variablePath(workspace, kind, key));
