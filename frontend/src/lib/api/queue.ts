import { queryOptions } from "@tanstack/react-query";
import { http } from "./http";
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
  queryFn: ({ signal }) => http.get<Worker[]>("/terraform/workers", undefined, signal),
  refetchInterval: 5_000,
});

/** How many runs execute at once; null takes the installation's default, 0 is no limit. */
export const setQueueLimit = (concurrency: number | null) => http.put<Queue>("/terraform/queue/limit", { concurrency });
