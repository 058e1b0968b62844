import { Lock as LockIcon, LockOpen } from "lucide-react";
import type { Lock } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { since } from "@/lib/format";

const tail = (id: string) => (id.length > 18 ? `…${id.slice(-8)}` : id);

function Holder({ lock }: { lock: Lock }) {
  return lock.run_id ? <span className="font-mono text-ink">{tail(lock.run_id)}</span> : <span className="text-ink">{lock.holder.name ?? "a person"}, by hand</span>;
}

/** Who holds the state, and whether it still lives. */
export function LockText({ lock }: { lock: Lock | null }) {
  const now = useNow();
  if (!lock) return <span className="text-ink-3">free</span>;
  return lock.is_orphaned ? (
    <span className="inline-flex items-center gap-1.5 text-replace"><LockOpen size={13} aria-hidden /><Holder lock={lock} />dead, {since(lock.heartbeat_at, now)}</span>
  ) : (
    <span className="inline-flex items-center gap-1.5"><LockIcon size={13} className="text-ink-2" aria-hidden /><Holder lock={lock} /><span className="text-ink-3">{since(lock.kind === "manual" ? lock.acquired_at : lock.heartbeat_at, now)}</span></span>
  );
}
