import type { Delivery, Notification } from "@/lib/api/types";
import { listed, shortId, span } from "@/lib/format";

export type NotifiedEvent = Notification["events"][number];

export const EVENTS: Record<NotifiedEvent, string> = {
  waiting: "a plan waits for approval",
  blocked: "policies block a plan",
  applied: "an apply ended well",
  errored: "a plan or its apply failed",
  halted: "somebody halted",
};
export const EVENT_NAMES = Object.keys(EVENTS) as NotifiedEvent[];

/** Which workspaces a destination hears of. `names` gives the name of an id, where it is known. */
export function whereWords(notification: Pick<Notification, "workspaces" | "tag">, names: ReadonlyMap<string, string>): string {
  if (notification.tag) return `tag ${notification.tag}`;
  if (!notification.workspaces) return "every workspace";
  const known = notification.workspaces.map((id) => names.get(id) ?? shortId(id));
  return known.length > 3 ? `${known.slice(0, 2).join(", ")} and ${known.length - 2} more` : listed(known);
}

/** `answered 204 in 121 ms`, or why there was no answer; empty until it was tried. */
export function answerWords(delivery: Delivery): string {
  if (delivery.http_status !== null) return `answered ${delivery.http_status}${delivery.duration_ms === null ? "" : ` in ${delivery.duration_ms} ms`}`;
  return delivery.error ?? "";
}

export type DeliveryTone = "create" | "wait" | "destroy" | "quiet";

/** Where a delivery stands, in words; `at` is the present in milliseconds. */
export function deliveryState(delivery: Delivery, at: number): { word: string; tone: DeliveryTone } {
  if (delivery.status === "delivered") return { word: "delivered", tone: "create" };
  if (delivery.status === "failed") return { word: "failed", tone: "destroy" };
  if (delivery.status === "dropped") return { word: "dropped", tone: "quiet" };
  const left = delivery.next_attempt_at ? Date.parse(delivery.next_attempt_at) - at : 0;
  if (delivery.attempts > 0 && left > 0) return { word: `tries again in ${span(left)}`, tone: "wait" };
  return { word: "being sent", tone: "wait" };
}

/** What a delivery tells of: the run and its workspace, or the halt's reason. */
export function aboutWords(delivery: Delivery): string {
  const { workspace, run, halt, requested_by: asked } = delivery.payload as {
    workspace?: { name?: string } | null;
    run?: { id?: string; message?: string };
    halt?: { reason?: string; scope?: string };
    requested_by?: string;
  };
  if (halt) return [workspace?.name ?? halt.scope, halt.reason].filter(Boolean).join(": ");
  if (run) {
    const named = run.message === undefined || run.message === "" ? shortId(run.id ?? "") : run.message;
    return [workspace?.name, named].filter(Boolean).join(": ");
  }
  return asked ? `asked for by ${asked}` : "";
}

/** The id of the run that it tells of, when it tells of one. */
export function runOf(delivery: Delivery): string | undefined {
  return (delivery.payload as { run?: { id?: string } }).run?.id;
}
