import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { OutputValue, StateVersion, Workspace } from "./types";

export const workspaceQuery = (id: string) =>
  queryOptions({
    queryKey: keys.workspace(id),
    queryFn: ({ signal }) => http.get<Workspace>(`/terraform/workspaces/${id}`, undefined, signal),
    staleTime: 5_000,
  });

export const stateVersionsQuery = (workspace: string) =>
  queryOptions({
    queryKey: [...keys.workspace(workspace), "state-versions"],
    queryFn: ({ signal }) => http.get<Page<StateVersion>>(`/terraform/workspaces/${workspace}/state-versions`, { limit: 100 }, signal),
    refetchInterval: 10_000,
  });

/** The outputs of one state version, which never change. */
export const versionOutputsQuery = (version: string) =>
  queryOptions({
    queryKey: ["state-version", version, "outputs"],
    queryFn: ({ signal }) => http.get<OutputValue[]>(`/terraform/state-versions/${version}/outputs`, undefined, signal),
    staleTime: Infinity,
  });
