import { queryOptions } from "@tanstack/react-query";
import { http } from "./http";
import { keys } from "./keys";
import type { Inbox } from "./types";

export const inboxQuery = queryOptions({
  queryKey: keys.inbox,
  queryFn: ({ signal }) => http.get<Inbox>("/terraform/inbox", undefined, signal),
  refetchInterval: 4_000,
});

export function inboxTotal(inbox: Inbox | undefined): number {
  return inbox?.for_you ?? 0;
}
