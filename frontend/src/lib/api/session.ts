import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { http } from "./http";
import { keys } from "./keys";
import type { Me, Version } from "./types";

export type Permission = Me["permissions"][number];

/** Who is signed in. Rights change seldom; the API has the last word on every request. */
export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => http.get<Me>("/auth/me", undefined, signal),
  staleTime: 60_000,
  retry: false,
});

export const versionQuery = queryOptions({
  queryKey: keys.version,
  queryFn: ({ signal }) => http.get<Version>("/terraform/version", undefined, signal),
  staleTime: Infinity,
});

export function useMe(): Me {
  return useSuspenseQuery(meQuery).data;
}

/** Whether the person holds a right, and what to say when not. */
export function useMay(): (permission: Permission) => string | null {
  const me = useMe();
  return (permission) => (me.permissions.includes(permission) ? null : `You lack the right ${permission}. Ask an admin of ${me.organization.name}.`);
}
