import type { Lock } from "@/lib/api/types";

/** What a lock is to the person who looks at it. */
export type Hold = "free" | "alive" | "mine" | "person" | "orphaned";

export function holdOf(lock: Lock | null, me: string): Hold {
  if (!lock) return "free";
  if (lock.is_orphaned) return "orphaned";
  if (lock.kind === "run") return "alive";
  return lock.holder.id === me ? "mine" : "person";
}
