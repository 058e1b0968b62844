import { CircleCheck, CircleSlash, CircleX, Clock, TriangleAlert } from "lucide-react";
import { cx } from "@/lib/cx";
import type { Delivery, Notification } from "@/lib/api/types";
import { since } from "@/lib/format";
import type { Said } from "./use-notification-actions";
import { deliveryState, type DeliveryTone } from "./words";

const TONES: Record<DeliveryTone, string> = { create: "text-create", wait: "text-wait", destroy: "text-destroy", quiet: "text-ink-3" };
const ICONS = { create: CircleCheck, wait: Clock, destroy: CircleX, quiet: CircleSlash };

/** Whether a destination hears anything, and why not. */
export function NotificationState({ notification, now }: { notification: Notification; now: number }) {
  if (notification.is_enabled && notification.failing_since) {
    return <span className="inline-flex items-center gap-1.5 align-middle text-wait"><TriangleAlert size={13} className="shrink-0" aria-hidden />nothing has arrived for {since(notification.failing_since, now)}</span>;
  }
  if (notification.is_enabled) return <span className="inline-flex items-center gap-1.5 align-middle text-create"><CircleCheck size={13} className="shrink-0" aria-hidden />enabled</span>;
  const bySluice = notification.disabled_reason !== null;
  return <span className={cx("inline-flex items-center gap-1.5 align-middle", bySluice ? "text-destroy" : "text-ink-3")} title={notification.disabled_reason ?? undefined}><CircleSlash size={13} className="shrink-0" aria-hidden />{bySluice ? "disabled by Sluice" : "disabled"}</span>;
}

export function DeliveryState({ delivery, now }: { delivery: Delivery; now: number }) {
  const { word, tone } = deliveryState(delivery, now);
  const Icon = ICONS[tone];
  return <span className={cx("inline-flex items-center gap-1.5 align-middle", TONES[tone])}><Icon size={13} className="shrink-0" aria-hidden />{word}</span>;
}

const SAID: Record<Said["tone"], string> = { plain: "text-ink-2", create: "text-create", destroy: "text-destroy" };

/** What came of the last action, in one line that screen readers hear. */
export function SaidLine({ said, otherwise }: { said: Said | null; otherwise: string }) {
  return <p role="status" className={cx("min-w-0 text-12", said ? SAID[said.tone] : "text-ink-2")}>{said?.text ?? otherwise}</p>;
}
