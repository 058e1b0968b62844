import type { Lock, StateVersion } from "@/lib/api/types";

/** Why a workspace's state can't be rolled back to a version; null when it can. The API has the last word. */
export function rollbackBlocked(version: StateVersion, newest: StateVersion | undefined, lock: Lock | null | undefined): string | null {
  if (!newest || newest.id === version.id) return "It is the current version";
  if (version.pruned_at) return "Retention let go of its content";
  if (version.lineage !== newest.lineage) return "It is of another lineage: the state was replaced in between, and a rollback never goes behind that";
  if (lock) return lock.kind === "run" ? "A run holds the state lock: wait until it has ended, or release it when its holder is dead" : `${lock.holder.name ?? "Somebody"} holds the state lock: release it first`;
  return null;
}
