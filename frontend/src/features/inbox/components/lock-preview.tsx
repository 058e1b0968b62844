import { Link } from "@tanstack/react-router";
import { LockOpen } from "lucide-react";
import { Fact } from "@/components/ui/bits";
import { Kbd } from "@/components/ui/kbd";
import type { InboxItem, Lock } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortId, since } from "@/lib/format";
import { placeOf } from "./row";

/** A lock whose holder is dead: who it was, what is safe, and where to release it. */
export function LockPreview({ item, lock }: { item: InboxItem; lock: Lock }) {
  const now = useNow();
  const { run } = item;
  return (
    <aside aria-label="Preview" className="flex w-[372px] shrink-0 flex-col border-l border-line max-lg:hidden">
      <div className="min-h-0 grow overflow-auto" tabIndex={0}>
        <header className="border-b border-line px-4 py-3">
          <p className="inline-flex h-6 items-center gap-1.5 rounded-chip bg-replace-bg px-2 text-13 font-medium text-replace"><LockOpen size={14} aria-hidden />Holder dead</p>
          <h2 className="mt-2.5 text-16 leading-5 font-semibold">The state of {run.workspace.name} is locked by a run that is dead</h2>
          <p className="mt-1 text-12 text-ink-2">{item.why}</p>
        </header>
        <dl className="px-4 py-3">
          <Fact label="Holder"><Link to="/infra/terraform/runs/$id" params={{ id: run.id }} className="link font-mono">{shortId(run.id)}</Link>{lock.holder.host ?? lock.holder.name ? ` on ${lock.holder.host ?? lock.holder.name ?? ""}` : ""}</Fact>
          <Fact label="Why">{lock.reason}</Fact>
          <Fact label="Since">{moment(lock.acquired_at, now)}</Fact>
          <Fact label="Heartbeat"><span className="text-replace">{since(lock.heartbeat_at, now)} ago</span></Fact>
        </dl>
      </div>
      <footer className="flex h-12 shrink-0 items-center justify-end gap-2 border-t border-line-2 bg-raised px-3">
        <Link {...placeOf(item)} className="inline-flex h-7 items-center gap-2 rounded-ctl bg-primary px-2.5 text-13 font-medium text-on-primary hover:opacity-90">Open the lock <Kbd inverse>↵</Kbd></Link>
      </footer>
    </aside>
  );
}
