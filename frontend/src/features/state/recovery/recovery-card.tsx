import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { Address } from "@/components/domain/address";
import { SectionHead } from "@/components/ui/bits";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { outcomeWords, recoveryQuery } from "@/lib/api/recovery";
import type { Workspace } from "@/lib/api/types";

/** Resources that an apply may have left, and no state knows. */
export function RecoveryCard({ workspace }: { workspace: Workspace }) {
  const pages = useInfiniteQuery(recoveryQuery(workspace.id, "open"));
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const n = `${items.length}${pages.hasNextPage ? "+" : ""}`;
  return (
    <section aria-labelledby="rail-recovery" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-recovery" title="Recovery list" aside={items.length > 0 ? <span className="inline-flex items-center gap-1.5 font-medium text-replace"><TriangleAlert size={13} aria-hidden />{n} open</span> : pages.data ? "empty" : null} />
      {pages.error && !pages.data ? <p role="alert" className="text-12 text-destroy">{explain(pages.error)}</p> : null}
      {pages.data && items.length === 0 ? <p className="text-12 text-ink-2">What an apply makes before it is killed, and no state knows, is listed here with its id.</p> : null}
      <ul>
        {items.slice(0, 4).map((item) => (
          <li key={item.id} className="flex min-w-0 items-center gap-2 text-12 leading-6">
            <Address address={item.address} withModule />
            <span className="ml-auto shrink-0 text-ink-3">{outcomeWords(item)}</span>
          </li>
        ))}
      </ul>
      <p className="mt-1 text-12"><Link {...stateLink(workspace.id, { left: "resources" })} className="link">{items.length > 0 ? "What to import, and what to check" : "Recovery list, settled ones too"}</Link></p>
    </section>
  );
}
