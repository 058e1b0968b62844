import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { OutputValue, StateVersion, Workspace, WorkspaceRow } from "./types";

export const workspaceQuery = (id: string) =>
  queryOptions({
    queryKey: keys.workspace(id),
    queryFn: ({ signal }) => http.get<Workspace>(`/terraform/workspaces/${id}`, undefined, signal),
    staleTime: 5_000,
  });

/** The newest state version of a workspace, if there is one; its number says how many there were. */
export const currentStateQuery = (workspace: string) =>
  queryOptions({
    queryKey: [...keys.stateVersions(workspace), "current"],
    queryFn: async ({ signal }) => (await http.get<Page<StateVersion>>(`/terraform/workspaces/${workspace}/state-versions`, { limit: 1 }, signal)).items[0] ?? null,
    refetchInterval: 10_000,
  });

/** The outputs of one state version, which never change. */
export const versionOutputsQuery = (version: string) =>
  queryOptions({
    queryKey: ["state-version", version, "outputs"],
    queryFn: ({ signal }) => http.get<OutputValue[]>(`/terraform/state-versions/${version}/outputs`, undefined, signal),
    staleTime: Infinity,
  });

/** Names and tags of workspaces, to choose among. */
export const workspaceNamesQuery = queryOptions({
  queryKey: [...keys.workspaces, "names"],
  queryFn: ({ signal }) => http.get<Page<WorkspaceRow>>("/terraform/workspaces", { limit: 200 }, signal),
  staleTime: 30_000,
});
