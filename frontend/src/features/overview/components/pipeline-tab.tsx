import { useQuery } from "@tanstack/react-query";
import { Empty, Skeleton } from "@/components/ui/bits";
import { historyQuery, overviewQuery } from "@/features/overview/api/overview";
import { endedIn } from "@/features/overview/outcomes";
import { explain } from "@/lib/api/http";
import { runsQuery } from "@/lib/api/runs";
import type { HistoryWindow } from "@/lib/api/types";
import { count } from "@/lib/format";
import { phaseWord } from "@/lib/run-status";
import { LeadChart } from "./lead-chart";
import { OutcomeChart } from "./outcome-chart";
import { Panel } from "./panel";
import { RunsTable } from "./runs-table";

const PHASES = ["preparing", "initializing", "planning", "checking_policies", "verifying", "applying", "snapshotting"];

/** Runs by phase, what is at work now, and how many come through. */
export function PipelineTab({ window }: { window: HistoryWindow }) {
  const { data: overview, error: noOverview } = useQuery(overviewQuery);
  const history = useQuery(historyQuery(window));
  const running = useQuery(runsQuery({ status: "running", limit: 50 }));
  const ended = history.data?.buckets.reduce((sum, bucket) => sum + endedIn(bucket), 0) ?? 0;
  const hours = history.data ? (history.data.buckets.length * history.data.bucket_seconds) / 3600 : 1;
  const rate = ended / hours;
  return (
    <>
      <div className="grid shrink-0 grid-cols-3 border-b border-line max-lg:grid-cols-1">
        <Panel title="At work, by phase" aside={overview ? `${count(overview.running)} now` : null}>
          {overview ? (
            <ul className="flex flex-col text-12">
              {PHASES.map((phase) => {
                const n = overview.runs_by_phase[phase] ?? 0;
                return (
                  <li key={phase} className={n > 0 ? "flex h-[22px] items-center gap-3" : "flex h-[22px] items-center gap-3 text-ink-3"}>
                    <span className="w-32 shrink-0">{phaseWord(phase)}</span>
                    <span className="h-2 grow bg-sunken" aria-hidden><span className="block h-full bg-mark-change" style={{ width: `${(n / Math.max(1, overview.running)) * 100}%` }} /></span>
                    <b className="tnum w-8 shrink-0 text-right font-semibold">{count(n)}</b>
                  </li>
                );
              })}
            </ul>
          ) : noOverview ? <Empty title="The phases could not be read.">{explain(noOverview)}</Empty> : <Skeleton rows={4} height={24} />}
        </Panel>
        {history.error && !history.data ? <Empty title="The figures could not be read.">{explain(history.error)}</Empty> : history.data ? (
          <>
            <Panel title="Throughput" aside={`${rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1)} runs an hour`}><OutcomeChart buckets={history.data.buckets} bucketSeconds={history.data.bucket_seconds} /></Panel>
            <Panel title="Lead time, request to applied" aside={history.data.bucket_seconds < 86_400 ? "per hour" : "per day, UTC"}><LeadChart buckets={history.data.buckets} bucketSeconds={history.data.bucket_seconds} /></Panel>
          </>
        ) : <Skeleton rows={4} height={44} />}
      </div>
      <h2 className="flex h-10 shrink-0 items-center border-b border-line px-5 text-13 font-semibold">At work</h2>
      {running.error ? <Empty title="The runs could not be read.">{explain(running.error)}</Empty> : running.data ? <RunsTable caption="Runs at work" runs={running.data.items} empty="No run is at work." /> : <Skeleton rows={3} />}
    </>
  );
}
