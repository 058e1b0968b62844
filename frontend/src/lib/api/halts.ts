import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { Follower, type Openers } from "@/lib/follow";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { Drill, Halt, Halts } from "./types";

/** Halts that stand now, and lifted ones that still end runs. `followHalts` keeps it fresh on every page. */
export const haltsQuery = queryOptions({
  queryKey: keys.halts,
  queryFn: ({ signal }) => http.get<Halts>("/terraform/halt", undefined, signal),
});

const CALM_MS = 5_000;
const URGENT_MS = 1_000;
/** The server pings every 15 s; a halt must not stay unseen for longer than need be. */
const SILENCE_MS = 20_000;

/** Keeps `haltsQuery` as the server has it, by the WebSocket of the halts or, where that is broken, by asking often. */
export function followHalts(queryClient: QueryClient, openers?: Openers): Follower {
  const take = async ({ active, ending }: Halts) => {
    // An answer that is under way is older than this, and must not come after it.
    await queryClient.cancelQueries({ queryKey: keys.halts, exact: true });
    queryClient.setQueryData(haltsQuery.queryKey, { active, ending });
  };
  return new Follower({
    socket: () => "/terraform/ws/halt",
    take: (type, message) => {
      if (type === "halts") void take(message as Halts);
    },
    poll: async () => {
      await queryClient.query({ ...haltsQuery, staleTime: 0, retry: false });
    },
    pollMs: () => {
      const halts = queryClient.getQueryData(haltsQuery.queryKey);
      return halts && halts.active.length + halts.ending.length > 0 ? URGENT_MS : CALM_MS;
    },
    silenceMs: SILENCE_MS,
    isOver: () => false,
  }, openers);
}

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
