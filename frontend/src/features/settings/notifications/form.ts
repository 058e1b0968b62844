import type { Notification, NotificationChange, NotificationIn } from "@/lib/api/types";
import { EVENT_NAMES, type NotifiedEvent } from "./words";

export type Where = "every" | "tag" | "workspaces";

export interface NotificationForm {
  name: string;
  url: string;
  format: Notification["format"];
  events: readonly NotifiedEvent[];
  where: Where;
  tag: string;
  workspaces: readonly string[];
}

export function formOf(notification: Notification | null): NotificationForm {
  if (!notification) return { name: "", url: "", format: "sluice", events: ["waiting", "blocked", "errored", "halted"], where: "every", tag: "", workspaces: [] };
  const { name, format, events, tag, workspaces } = notification;
  return { name, url: "", format, events, where: tag ? "tag" : workspaces ? "workspaces" : "every", tag: tag ?? "", workspaces: workspaces ?? [] };
}

/** What is still missing, in words; null when it can be sent. An address that stands may be left empty. */
export function missingOf(form: NotificationForm, isNew: boolean): string | null {
  if (!form.name.trim()) return "Give it a name";
  if (isNew && !form.url.trim()) return "Give its address";
  if (form.events.length === 0) return "Choose at least one event";
  if (form.where === "tag" && !form.tag.trim()) return "Give the tag";
  if (form.where === "workspaces" && form.workspaces.length === 0) return "Choose at least one workspace";
  return null;
}

const inOrder = (events: readonly NotifiedEvent[]) => EVENT_NAMES.filter((each) => events.includes(each));
const filterOf = (form: NotificationForm) => ({ tag: form.where === "tag" ? form.tag.trim() : null, workspaces: form.where === "workspaces" ? [...form.workspaces].sort() : null });

export function creation(form: NotificationForm): NotificationIn {
  return { name: form.name.trim(), url: form.url.trim(), format: form.format, events: inOrder(form.events), ...filterOf(form) };
}

/** What of it moved, and no more: the audit trail names what was changed. */
export function changeOf(notification: Notification, form: NotificationForm): NotificationChange {
  const before = creation(formOf(notification));
  const after = creation(form);
  const filterMoved = before.tag !== after.tag || JSON.stringify(before.workspaces) !== JSON.stringify(after.workspaces);
  return {
    ...(after.name === before.name ? {} : { name: after.name }),
    ...(after.url ? { url: after.url } : {}),
    ...(after.format === before.format ? {} : { format: after.format }),
    ...(after.events.join() === before.events.join() ? {} : { events: after.events }),
    ...(filterMoved ? filterOf(form) : {}),
  };
}
