import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { cancelRehearsal, rehearsalEnded, rehearsalQuery, resultsQuery } from "@/features/policies/api/policies";
import type { Rehearsal } from "@/lib/api/types";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { cx } from "@/lib/cx";
import { duration, plural } from "@/lib/format";
import { Results } from "./results";
import { scopeOf, sentenceOf, sorted } from "./order";

const NONE: never[] = [];

/** One rehearsal: what it would have blocked, how far it is, and each plan. */
export function RehearsalReport({ id }: { id: string }) {
  const query = useQuery(rehearsalQuery(id));
  const rehearsal = query.data;
  if (query.error && !rehearsal) return <Empty title="The rehearsal could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  if (!rehearsal) return <Skeleton rows={6} />;
  return <Report rehearsal={rehearsal} />;
}

function Report({ rehearsal }: { rehearsal: Rehearsal }) {
  const queryClient = useQueryClient();
  const ended = rehearsalEnded(rehearsal);
  const pages = useInfiniteQuery(resultsQuery(rehearsal));
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  // At most five hundred plans: all of them are wanted, since the order is by what they lead to.
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const results = useMemo(() => sorted(pages.data?.pages.flatMap((page) => page.items) ?? NONE), [pages.data]);
  const cancel = useMutation({ mutationFn: () => cancelRehearsal(rehearsal.id), onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.rehearsals }) });
  return (
    <div className="flex min-h-0 grow flex-col">
      <div className="shrink-0 border-b border-line px-4 py-2.5">
        <div className="flex items-start gap-3">
          <p role="status" className="min-w-0 grow text-13 font-semibold">
            {rehearsal.status === "errored" ? <span className="text-destroy">The rehearsal could not be finished. <span className="font-normal">{rehearsal.status_reason}</span></span> : ended ? sentenceOf(rehearsal) : rehearsal.done === 0 ? (rehearsal.status === "queued" ? "Waits for a worker." : "Reads the plans.") : `${sentenceOf(rehearsal)} Not all are done.`}
            {rehearsal.status === "cancelled" ? <span className="font-normal text-ink-2"> Cancelled before its end.</span> : null}
          </p>
          {ended ? null : <Button size={24} disabled={cancel.isPending} onClick={() => cancel.mutate()}>Cancel</Button>}
        </div>
        {ended && rehearsal.status !== "cancelled" ? null : <Bar rehearsal={rehearsal} />}
        <p className="mt-0.5 text-12 text-ink-2">
          {rehearsal.enforcement_level}, {scopeOf(rehearsal)}{ended ? "" : `: ${rehearsal.done} of ${rehearsal.total}`}
          {rehearsal.seconds !== null && rehearsal.done > 0 ? `, ${duration(rehearsal.seconds)}${rehearsal.plans_per_second ? `, ${rehearsal.plans_per_second.toFixed(1)} plans a second` : ""}` : ""}
          {rehearsal.policy_engine ? <span className="text-ink-3">, {rehearsal.policy_engine}</span> : null}
        </p>
        <Counts rehearsal={rehearsal} />
        {cancel.error ? <p role="alert" className="text-12 text-destroy">{explain(cancel.error)}</p> : null}
      </div>
      {results.length > 0 ? <Results results={results} /> : ended ? <Empty title="There is no plan to show.">{rehearsal.total === 0 ? "The chosen workspaces have no kept plan yet. Plan one, or choose others." : "No result was kept."}</Empty> : <Skeleton rows={5} />}
      <details className="shrink-0 border-t border-line px-4 py-1.5 text-12 text-ink-3">
        <summary className="text-ink-2">What of a past plan is not as it was</summary>
        <ul className="list-disc py-1 pl-4">{rehearsal.assumptions.map((each) => <li key={each}>{each}</li>)}</ul>
      </details>
    </div>
  );
}

function Bar({ rehearsal }: { rehearsal: Rehearsal }) {
  const part = rehearsal.total === 0 ? 0 : (100 * rehearsal.done) / rehearsal.total;
  return (
    <div role="progressbar" aria-label="Plans evaluated" aria-valuenow={rehearsal.done} aria-valuemin={0} aria-valuemax={rehearsal.total} className="my-1.5 h-1.5 overflow-hidden rounded-full bg-sunken">
      <div className="h-full bg-mark-change" style={{ width: `${part}%` }} />
    </div>
  );
}

function Counts({ rehearsal }: { rehearsal: Rehearsal }) {
  const parts = [
    { n: rehearsal.newly_blocked, text: "newly blocked", tone: "text-destroy" },
    { n: rehearsal.would_block - rehearsal.newly_blocked, text: "blocked then, too", tone: "text-ink-2" },
    { n: rehearsal.would_warn, text: "would warn", tone: "text-wait" },
    { n: rehearsal.would_pass, text: "pass", tone: "text-create" },
    { n: rehearsal.not_evaluable, text: "could not be evaluated", tone: "text-destroy" },
    { n: rehearsal.removed, text: rehearsal.removed === 1 ? "plan not kept any more" : "plans not kept any more", tone: "text-ink-3" },
  ].filter((part) => part.n > 0);
  if (parts.length === 0) return null;
  return <p className="mt-1 flex flex-wrap gap-x-4 text-12" aria-label={plural(rehearsal.done, "plan")}>{parts.map((part) => <span key={part.text} className={cx("tnum", part.tone)}><span className="font-semibold">{part.n}</span> {part.text}</span>)}</p>;
}
