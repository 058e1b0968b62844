import { Ago } from "@/components/domain/ago";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { SectionHead } from "@/components/ui/bits";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { quarantineQuery } from "@/lib/api/state";
import type { Workspace } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { plural } from "@/lib/format";
import { refusalWords } from "@/lib/state-words";

/** States that could not become versions and wait for a decision. */
export function QuarantineCard({ workspace }: { workspace: Workspace }) {
  const now = useNow();
  const pages = useInfiniteQuery(quarantineQuery(workspace.id, "held"));
  const held = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const n = `${held.length}${pages.hasNextPage ? "+" : ""}`;
  return (
    <section aria-labelledby="rail-quarantine" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-quarantine" title="Quarantine" aside={held.length > 0 ? <span className="inline-flex items-center gap-1.5 font-medium text-replace"><TriangleAlert size={13} aria-hidden />{n} held</span> : pages.data ? "empty" : null} />
      {pages.error && !pages.data ? <p role="alert" className="text-12 text-destroy">{explain(pages.error)}</p> : null}
      {pages.data && held.length === 0 ? <p className="text-12 text-ink-2">A state that can&apos;t follow the current one is refused, and kept here byte for byte.</p> : null}
      <ul>
        {held.slice(0, 4).map((state) => (
          <li key={state.id} className="flex min-w-0 items-center gap-2 text-12 leading-6">
            <Link {...stateLink(workspace.id, { held: state.id })} className="link shrink-0">{state.serial === null ? "unreadable" : `serial ${state.serial}`}</Link>
            <span className="min-w-0 truncate text-ink-2">{refusalWords(state)}</span>
            <span className="ml-auto shrink-0 text-ink-3"><Ago iso={state.created_at} now={now} /></span>
          </li>
        ))}
      </ul>
      <p className="mt-1 text-12"><Link {...stateLink(workspace.id, { held: "quarantine" })} className="link">{held.length > 4 ? `All ${plural(held.length, "held state")}` : "Quarantine, decided ones too"}</Link></p>
    </section>
  );
}
