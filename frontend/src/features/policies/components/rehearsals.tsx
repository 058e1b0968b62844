import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { Ring } from "@/components/domain/status";
import { Empty, Skeleton } from "@/components/ui/bits";
import { rehearsalEnded, rehearsalsQuery } from "@/features/policies/api/policies";
import type { Rehearsal } from "@/lib/api/types";
import { scopeOf, sentenceOf } from "@/features/policies/rehearsal/order";
import { RehearsalReport } from "@/features/policies/rehearsal/report";
import { policiesLink } from "@/features/policies/search";
import { explain } from "@/lib/api/http";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment, shortDigest } from "@/lib/format";
import { setName } from "@/lib/policy-words";

function nameOf(rehearsal: Rehearsal): string {
  return rehearsal.policy_set_uri ? setName(rehearsal.policy_set_uri) : `draft ${shortDigest(rehearsal.bundle_digest)}`;
}

function Outcome({ rehearsal }: { rehearsal: Rehearsal }) {
  if (!rehearsalEnded(rehearsal)) return <span className="inline-flex items-center gap-1.5 text-change"><Ring size={12} />{rehearsal.done} of {rehearsal.total}</span>;
  if (rehearsal.status === "errored") return <span className="text-destroy">errored</span>;
  if (rehearsal.status === "cancelled") return <span className="text-ink-3">cancelled</span>;
  return rehearsal.newly_blocked > 0 ? <span className="text-destroy">{rehearsal.newly_blocked} newly blocked</span> : <span className="text-create">nothing new</span>;
}

/** What was tried on past plans, newest first, and one of them whole. */
export function Rehearsals({ chosen }: { chosen: string | undefined }) {
  const now = useNow();
  const query = useQuery(rehearsalsQuery);
  if (query.isPending) return <Skeleton rows={6} height={48} />;
  if (query.error) return <Empty title="The rehearsals could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  const rows = query.data.items;
  const open = chosen ?? rows[0]?.id;
  if (rows.length === 0 && !chosen) return <Empty title="No rehearsal yet.">A rehearsal evaluates a draft, or a policy set, over plans of the past and says what it would have blocked. Start one beside a draft, or with <code>sluice policy rehearse</code>.</Empty>;
  return (
    <div className="flex min-h-0 grow">
      <nav aria-label="Rehearsals" className={cx("w-[320px] shrink-0 overflow-auto border-r border-line max-md:w-full max-md:border-r-0", chosen && "max-md:hidden")}>
        <ul>
          {rows.map((rehearsal) => (
            <li key={rehearsal.id}>
              <Link {...policiesLink({ tab: "rehearsals", rehearsal: rehearsal.id })} replace title={sentenceOf(rehearsal)} aria-current={rehearsal.id === open ? "true" : undefined} className={cx("inset-focus flex min-h-12 flex-col justify-center border-b border-line px-4 py-1", rehearsal.id === open ? "bg-selected max-md:bg-surface" : "hover:bg-hover")}>
                <span className="flex justify-between gap-3 text-13"><span className="truncate font-medium">{nameOf(rehearsal)}</span><span className="shrink-0 text-12"><Outcome rehearsal={rehearsal} /></span></span>
                <span className="flex justify-between gap-3 text-12 text-ink-3"><span className="truncate">{scopeOf(rehearsal)}</span><span className="shrink-0">{rehearsal.created_by.name}, {moment(rehearsal.created_at, now)}</span></span>
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <section aria-label="Rehearsal" className={cx("flex min-w-0 grow flex-col", !chosen && "max-md:hidden")}>
        <Link {...policiesLink({ tab: "rehearsals" })} replace className="hidden h-11 items-center gap-1 border-b border-line px-4 text-ink-2 max-md:flex"><ChevronLeft size={16} aria-hidden />Rehearsals</Link>
        {open ? <RehearsalReport key={open} id={open} /> : null}
      </section>
    </div>
  );
}
