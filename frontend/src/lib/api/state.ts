import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { http, type Page, queryString } from "./http";
import { keys } from "./keys";
import type { HcpImport, Lock, OutputSharing, OutputValue, QuarantineDiff, QuarantinedState, ResourceFacets, Retention, Run, StateDiff, StateResource, StateVersion, Workspace, WorkspaceRow } from "./types";

const next = (page: { next_cursor: string | null }): string | null => page.next_cursor;

/** A workspace's state versions, newest first, a page at a time. */
export const stateHistoryQuery = (workspace: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.stateVersions(workspace), "pages"],
    queryFn: ({ pageParam, signal }) => http.get<Page<StateVersion>>(`/terraform/workspaces/${workspace}/state-versions`, { limit: 50, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: next,
    refetchInterval: 10_000,
  });

/** One version by its id, for an address whose version is not among the pages in sight. A version never changes. */
export const stateVersionQuery = (version: string) =>
  queryOptions({
    queryKey: ["state-version", version],
    queryFn: ({ signal }) => http.get<StateVersion>(`/terraform/state-versions/${version}`, undefined, signal),
    staleTime: Infinity,
  });

/** What a version's resources can be narrowed to. */
export const facetsQuery = (version: string) =>
  queryOptions({
    queryKey: ["state-version", version, "facets"],
    queryFn: ({ signal }) => http.get<ResourceFacets>(`/terraform/state-versions/${version}/resource-facets`, undefined, signal),
    staleTime: Infinity,
  });

export interface ResourceFilter {
  search?: string | undefined;
  module?: string | undefined;
  type?: string | undefined;
  provider?: string | undefined;
  mode?: string | undefined;
}

/** The empty module is the root module, which a query otherwise leaves out. */
function resourcesPath(version: string, filter: ResourceFilter, cursor: string | null): string {
  return `/terraform/state-versions/${version}/resources${queryString({ ...filter, limit: 200, cursor })}${filter.module === "" ? "&module=" : ""}`;
}

/** A version's resources that pass the filter, 200 at a time. */
export const resourcesQuery = (version: string, filter: ResourceFilter) =>
  infiniteQueryOptions({
    queryKey: ["state-version", version, "resources", filter],
    queryFn: ({ pageParam, signal }) => http.get<Page<StateResource>>(resourcesPath(version, filter, pageParam), undefined, signal),
    initialPageParam: null as string | null,
    getNextPageParam: next,
    staleTime: Infinity,
    placeholderData: keepPreviousData,
  });

/** What differs from one version to another, 200 resources at a time. */
export const stateDiffQuery = (before: string, after: string) =>
  infiniteQueryOptions({
    queryKey: ["state-version", before, "diff", after],
    queryFn: ({ pageParam, signal }) => http.get<StateDiff>(`/terraform/state-versions/${before}/diff/${after}`, { limit: 200, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: next,
    staleTime: Infinity,
    retry: false,
  });

/** An output with its value. Each reading is audited, so it is never cached and never asked for by itself. */
export const revealOutput = (version: string, name: string) => http.get<OutputValue>(`/terraform/state-versions/${version}/outputs/${encodeURIComponent(name)}`);

export const downloadPath = (version: string) => `/terraform/state-versions/${version}/download`;

/** Every workspace with its current serial and its lock. */
export const stateRowsQuery = (search: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.workspaces, "state", search],
    queryFn: ({ pageParam, signal }) => http.get<Page<WorkspaceRow>>("/terraform/workspaces", { search, limit: 100, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: next,
    refetchInterval: 5_000,
    placeholderData: keepPreviousData,
  });

interface RollbackBody {
  state_version_id: string;
  message?: string;
}

/** Asks for a run that writes an earlier version as a new one. The key makes a second press the same request. */
export const requestRollback = (workspace: string, body: RollbackBody, idempotencyKey: string) => http.post<Run>(`/terraform/workspaces/${workspace}/rollback`, { ...body, source: "ui" }, idempotencyKey);

export interface BackendBody {
  state_backend: NonNullable<Workspace["state_backend"]>;
  state_backend_settings: Record<string, unknown>;
}

/** Asks for a run that moves the state to another backend. */
export const requestMigration = (workspace: string, body: BackendBody & { message?: string }, idempotencyKey: string) => http.post<Run>(`/terraform/workspaces/${workspace}/migrate`, { ...body, source: "ui" }, idempotencyKey);

/** Chooses the backend of a workspace that has no state yet. */
export const setBackend = (workspace: string, body: BackendBody) => http.patch<Workspace>(`/terraform/workspaces/${workspace}`, body);

export const importFile = (workspace: string, file: Blob, idempotencyKey: string) => http.upload<StateVersion>(`/terraform/workspaces/${workspace}/state-import`, file, idempotencyKey);

interface HcpImportBody {
  organization: string;
  workspace: string;
  token: string;
  address?: string;
  with_variables: boolean;
}

export const importFromHcp = (workspace: string, body: HcpImportBody, idempotencyKey: string) => http.post<HcpImport>(`/terraform/workspaces/${workspace}/state-import/hcp`, body, idempotencyKey);

/** Which workspaces may read this one's outputs as inputs. */
export const sharingQuery = (workspace: string) =>
  queryOptions({
    queryKey: [...keys.workspace(workspace), "output-sharing"],
    queryFn: ({ signal }) => http.get<OutputSharing>(`/terraform/workspaces/${workspace}/output-sharing`, undefined, signal),
    staleTime: 30_000,
  });
export const setSharing = (workspace: string, body: { everyone: boolean; readers: string[] }) => http.put<OutputSharing>(`/terraform/workspaces/${workspace}/output-sharing`, body);

export const lockQuery = (workspace: string) =>
  queryOptions({
    queryKey: keys.lock(workspace),
    queryFn: ({ signal }) => http.get<Lock | null>(`/terraform/workspaces/${workspace}/state-lock`, undefined, signal),
    refetchInterval: 4_000,
  });

const lockPath = (workspace: string) => `/terraform/workspaces/${workspace}/state-lock`;
export const lockState = (workspace: string, reason: string) => http.post<Lock>(lockPath(workspace), { reason });
export const unlockState = (workspace: string) => http.delete<undefined>(lockPath(workspace));
export const releaseOrphaned = (workspace: string) => http.post<undefined>(`${lockPath(workspace)}/release`);
export const forceUnlock = (workspace: string, reason: string) => http.post<undefined>(`${lockPath(workspace)}/force-unlock`, { reason });

export const retentionQuery = (workspace: string) =>
  queryOptions({
    queryKey: [...keys.workspace(workspace), "retention"],
    queryFn: ({ signal }) => http.get<Retention>(`/terraform/workspaces/${workspace}/state-retention`, undefined, signal),
    staleTime: 30_000,
  });
export const setRetention = (workspace: string, body: Retention) => http.put<Retention>(`/terraform/workspaces/${workspace}/state-retention`, body);

/** States that could not become versions: of one workspace, or of the whole organization. */
export const quarantineQuery = (workspace: string | null, status: QuarantinedState["status"] | null) =>
  infiniteQueryOptions({
    queryKey: [...keys.quarantine, { workspace, status }],
    queryFn: ({ pageParam, signal }) => http.get<Page<QuarantinedState>>("/terraform/recovery/quarantine", { workspace, status, limit: 50, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: next,
    refetchInterval: 10_000,
  });

export const quarantinedQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.quarantine, id],
    queryFn: ({ signal }) => http.get<QuarantinedState>(`/terraform/recovery/quarantine/${id}`, undefined, signal),
  });

/** What would differ from the current state if this one took its place. */
export const quarantineDiffQuery = (id: string, current: string | null) =>
  infiniteQueryOptions({
    // Not under the quarantine's own key: once decided, there is nothing left to compare.
    queryKey: ["quarantine-diff", id, current],
    queryFn: ({ pageParam, signal }) => http.get<QuarantineDiff>(`/terraform/recovery/quarantine/${id}/diff`, { limit: 200, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: next,
    staleTime: Infinity,
    retry: false,
  });

export const adoptQuarantined = (id: string, body: { reason: string; replace_lineage: boolean }) => http.post<StateVersion>(`/terraform/recovery/quarantine/${id}/adopt`, body);
export const discardQuarantined = (id: string, reason: string) => http.post<QuarantinedState>(`/terraform/recovery/quarantine/${id}/discard`, { reason });
export const quarantineDownloadPath = (id: string) => `/terraform/recovery/quarantine/${id}/download`;
