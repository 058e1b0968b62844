import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { RefreshCw, ShieldCheck, TriangleAlert } from "lucide-react";
import { useEffect } from "react";
import { Ring } from "@/components/domain/status";
import { IconButton } from "@/components/ui/button";
import { explain } from "@/lib/api/http";
import { useNow } from "@/lib/clock";
import { count, moment, plural } from "@/lib/format";
import { type ChainState, chainQuery, chainState, newestCheckpointQuery } from "./follow";

/** Verifies the chain, page after page to its end. */
export function useChain() {
  const query = useInfiniteQuery(chainQuery);
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  return { state: query.data ? chainState(query.data.pages) : null, error: query.error, isFetching, again: () => void query.refetch() };
}

type Chain = ReturnType<typeof useChain>;

function Signed({ state }: { state: ChainState }) {
  const now = useNow(60_000);
  const newest = useQuery(newestCheckpointQuery).data;
  if (state.checkpointPosition === 0) return <span className="text-ink-3">no checkpoint is signed yet</span>;
  const when = newest?.position === state.checkpointPosition ? `, ${moment(newest.at, now)}` : "";
  return <span className="text-ink-3">signed up to position {count(state.checkpointPosition)}{when}</span>;
}

/** Whether the chain holds, in the page's head. */
export function ChainWord({ chain }: { chain: Chain }) {
  const { state, error, isFetching } = chain;
  return (
    <span className="flex flex-wrap items-center gap-x-2 gap-y-1 text-12 text-ink-2" role="status">
      {!state ? (error ? <span className="text-destroy">The chain could not be verified: {explain(error)}</span> : <><Ring size={13} className="text-change" />Verifying the chain</>) : state.findings.length > 0 ? (
        <span className="flex items-center gap-1.5 font-medium text-destroy"><TriangleAlert size={14} aria-hidden />The chain does not hold</span>
      ) : state.isComplete ? (
        <><span className="flex items-center gap-1.5"><ShieldCheck size={14} className="text-create" aria-hidden />{state.position === 0 ? "Nothing is chained yet" : `Chain intact to position ${count(state.position)}`}</span><Signed state={state} /></>
      ) : (
        <>{error ? <span className="text-destroy">Intact to position {count(state.position)}; the rest could not be verified: {explain(error)}</span> : <><Ring size={13} className="text-change" />Verifying: intact to position {count(state.position)}</>}</>
      )}
      {state || error ? <IconButton label="Verify again" className="!size-6" aria-disabled={isFetching ? true : undefined} onClick={() => { if (!isFetching) chain.again(); }}><RefreshCw size={13} aria-hidden /></IconButton> : null}
    </span>
  );
}

/** What is wrong with the chain, each finding in words with its row. */
export function ChainFindings({ state }: { state: ChainState | null }) {
  const now = useNow(60_000);
  if (!state || state.findings.length === 0) return null;
  return (
    <section role="alert" aria-label="What is wrong with the chain" className="max-h-48 shrink-0 overflow-auto border-b border-line bg-destroy-bg px-5 py-2 text-12 max-sm:px-4">
      <p className="text-ink-2">{plural(state.findings.length, "finding")}. Export the trail and keep the copy before anything else is done; compare it with earlier exports and backups.</p>
      <ul className="mt-1 flex flex-col gap-1">
        {state.findings.map((finding, i) => (
          <li key={i}>
            <span className="font-medium text-destroy">{finding.message}</span>
            <span className="ml-2 text-ink-2">
              {finding.first_position === finding.last_position ? (finding.first_position > 0 ? `position ${count(finding.first_position)}` : "") : `positions ${count(finding.first_position)} to ${count(finding.last_position)}`}
              {finding.row ? <>, row {finding.row.id}: <span className="font-mono">{finding.row.action}</span>, {moment(finding.row.at, now)}</> : null}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
