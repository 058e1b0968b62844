import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Delivery, Notification, NotificationChange, NotificationIn } from "@/lib/api/types";

const AT = "/terraform/notifications";

export const notificationsQuery = queryOptions({
  queryKey: keys.notifications,
  queryFn: ({ signal }) => http.get<Page<Notification>>(AT, { limit: 200 }, signal),
  refetchInterval: 15_000,
});

export const notificationQuery = (id: string) =>
  queryOptions({
    queryKey: keys.notification(id),
    queryFn: ({ signal }) => http.get<Notification>(`${AT}/${id}`, undefined, signal),
    refetchInterval: 15_000,
  });

/** A destination's deliveries, newest first; looked at often while one of them waits for its answer. */
export const deliveriesQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.notification(id), "deliveries"],
    queryFn: ({ pageParam, signal }) => http.get<Page<Delivery>>(`${AT}/${id}/deliveries`, { limit: 50, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: (query) => (query.state.data?.pages.some((page) => page.items.some((each) => each.status === "pending")) ? 2_000 : 15_000),
  });

/** One delivery, until it was tried. */
export const triedQuery = (id: string) =>
  queryOptions({
    queryKey: ["delivery", id],
    queryFn: ({ signal }) => http.get<Delivery>(`/terraform/notification-deliveries/${id}`, undefined, signal),
    refetchInterval: (query) => (query.state.data && wasTried(query.state.data) ? false : 700),
  });

/** Whether something came of it: an answer, or a reason why there is none. */
export function wasTried(delivery: Delivery): boolean {
  return delivery.status !== "pending" || delivery.http_status !== null || delivery.error !== null;
}

export const createNotification = (body: NotificationIn) => http.post<Notification>(AT, body);
export const changeNotification = (id: string, body: NotificationChange) => http.patch<Notification>(`${AT}/${id}`, body);
export const removeNotification = (id: string) => http.delete<undefined>(`${AT}/${id}`);
export const testNotification = (id: string) => http.post<Delivery>(`${AT}/${id}/test`);
export const redeliver = (id: string) => http.post<Delivery>(`/terraform/notification-deliveries/${id}/redeliver`);
