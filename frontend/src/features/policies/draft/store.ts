import { useSyncExternalStore } from "react";
import { now } from "@/lib/clock";

/** A policy set that is being written. It lives in this browser until it is uploaded. */
export interface Draft {
  id: string;
  name: string;
  /** File name to text: Rego files, and `data.json`. */
  files: Record<string, string>;
  /** The policy set that it began as a copy of. */
  from: string | null;
  changed_at: string;
}

export const DATA = "data.json";

export const EXAMPLE = `# METADATA
# title: Too many deletes
package draft.deletes

deny contains finding if {
	deleted := [change.address |
		some change in input.plan.resource_changes
		"delete" in change.change.actions
	]
	count(deleted) > 2
	finding := {
		"message": sprintf("%d resources would be deleted", [count(deleted)]),
		"address": deleted[0],
		"remedy": "split the change",
	}
}
`;

const keyOf = (organization: string) => `sluice.drafts.${organization}`;
const listeners = new Set<() => void>();
const cache = new Map<string, { text: string; drafts: readonly Draft[] }>();
const NONE: readonly Draft[] = [];

function isDraft(value: unknown): value is Draft {
  const draft = value as Partial<Draft> | null;
  return typeof draft?.id === "string" && typeof draft.name === "string" && typeof draft.files === "object" && typeof draft.changed_at === "string";
}

export function readDrafts(organization: string): readonly Draft[] {
  const text = localStorage.getItem(keyOf(organization)) ?? "[]";
  const known = cache.get(organization);
  if (known?.text === text) return known.drafts;
  let drafts: readonly Draft[];
  try {
    const parsed: unknown = JSON.parse(text);
    drafts = Array.isArray(parsed) ? parsed.filter(isDraft) : NONE;
  } catch {
    drafts = NONE;
  }
  cache.set(organization, { text, drafts });
  return drafts;
}

function write(organization: string, drafts: readonly Draft[]): void {
  localStorage.setItem(keyOf(organization), JSON.stringify(drafts));
  listeners.forEach((tell) => tell());
}

/** Puts a draft first in the list, in place of what had its id. Throws where the browser's storage is full. */
export function saveDraft(organization: string, draft: Draft): void {
  write(organization, [draft, ...readDrafts(organization).filter((each) => each.id !== draft.id)]);
}

export function deleteDraft(organization: string, id: string): void {
  write(organization, readDrafts(organization).filter((each) => each.id !== id));
}

export function newDraft(organization: string, name: string, files: Record<string, string>, from: string | null = null): Draft {
  const draft: Draft = { id: `draft-${crypto.randomUUID().slice(0, 8)}`, name, files, from, changed_at: new Date(now()).toISOString() };
  saveDraft(organization, draft);
  return draft;
}

/** The drafts of this browser, newest first; another tab's changes show as they happen. */
export function useDrafts(organization: string): readonly Draft[] {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      window.addEventListener("storage", tell);
      return () => {
        listeners.delete(tell);
        window.removeEventListener("storage", tell);
      };
    },
    () => readDrafts(organization),
  );
}

/** Rego files by name, and the data beside them, as the API takes them. */
export function bodyOf(draft: Draft): { files: Record<string, string>; data?: string } {
  const { [DATA]: data, ...files } = draft.files;
  return data === undefined ? { files } : { files, data };
}

/** Why a file can't be called so; null when it can. */
export function whyNotName(name: string, taken: readonly string[]): string | null {
  if (!name.trim()) return "Give it a name";
  if (taken.includes(name)) return "There is a file of this name";
  if (name === DATA) return null;
  if (name.endsWith("_test.rego")) return "Tests are no part of a policy set";
  if (!name.endsWith(".rego")) return `A file ends in .rego, or is ${DATA}`;
  if (name.length > 90 || !name.split("/").every((part) => /^\w[\w.-]*$/.test(part))) return "Letters, digits, - _ and . only";
  return null;
}
