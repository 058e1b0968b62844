import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { Queue, Worker } from "./types";

export const queueQuery = queryOptions({
  queryKey: keys.queue,
  queryFn: ({ signal }) => http.get<Queue>("/terraform/queue", undefined, signal),
  refetchInterval: 5_000,
});

/** The workers, for admins. */
export const workersQuery = queryOptions({
  queryKey: [...keys.queue, "workers"],
  queryFn: ({ signal }) => http.get<Page<Worker>>("/terraform/workers", undefined, signal),
  refetchInterval: 5_000,
});

/** How many runs execute at once: a number or null for no limit, else the installation's default. */
export type QueueLimit = { own_limit: number | null } | { is_default: true };

export const setQueueLimit = (wanted: QueueLimit) => http.put<Queue>("/terraform/queue/limit", wanted);
