import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldCheck, TriangleAlert } from "lucide-react";
import { StatusIcon } from "@/components/domain/status";
import { Empty, Skeleton } from "@/components/ui/bits";
import { drillHistoryQuery, historyQuery, overviewQuery } from "@/features/overview/api/overview";
import { botsHealth, liveTokens, queueHealth } from "@/features/overview/health";
import { bucketName, endedIn } from "@/features/overview/outcomes";
import { tokensQuery } from "@/lib/api/accounts";
import { explain, http } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { queueQuery } from "@/lib/api/queue";
import { runsQuery } from "@/lib/api/runs";
import { useMay } from "@/lib/api/session";
import type { ChainReport, HistoryWindow, Overview } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { drillTook } from "@/lib/drill";
import { count, plural, since } from "@/lib/format";
import { type RunStatus, statusLook } from "@/lib/run-status";
import { Figure } from "./figures";
import { LeadChart } from "./lead-chart";
import { OutcomeChart } from "./outcome-chart";
import { Panel } from "./panel";
import { RunsTable } from "./runs-table";
import { WaitingChart } from "./waiting-chart";

const ORDER: RunStatus[] = ["awaiting_approval", "policy_blocked", "errored", "queued", "running", "approved", "applied", "no_changes", "superseded", "discarded", "cancelled", "planned"];
const BAR = { wait: "bg-mark-wait", change: "bg-mark-change", create: "bg-mark-create", destroy: "bg-mark-destroy", read: "bg-mark-idle" } as const;

function Charts({ window }: { window: HistoryWindow }) {
  const { data, error } = useQuery(historyQuery(window));
  if (error && !data) return <Empty title="The figures could not be read.">{explain(error)}</Empty>;
  if (!data) return <Skeleton rows={4} height={44} />;
  const per = data.bucket_seconds < 86_400 ? "per hour" : "per day, UTC";
  const waiting = data.waiting.reduce((sum, band) => sum + band.plans, 0);
  return (
    <div className="grid shrink-0 grid-cols-3 border-b border-line max-lg:grid-cols-1">
      <Panel title="Runs by outcome" aside={per}><OutcomeChart buckets={data.buckets} bucketSeconds={data.bucket_seconds} /></Panel>
      <Panel title="Lead time, request to applied" aside={per}><LeadChart buckets={data.buckets} bucketSeconds={data.bucket_seconds} /></Panel>
      <Panel title="Approvals waiting, by age" aside={`${count(waiting)} now`}><WaitingChart bands={data.waiting} /></Panel>
    </div>
  );
}

function Figures({ overview }: { overview: Overview }) {
  const now = useNow(10_000);
  const may = useMay();
  const queue = useQuery(queueQuery).data;
  const tokens = useQuery({ ...tokensQuery, enabled: may("tokens:manage") === null }).data?.items;
  const drills = useQuery({ ...drillHistoryQuery, enabled: may("halt:read") === null }).data?.items;
  const drill = drills?.[0];
  const day = useQuery(historyQuery("24h")).data?.buckets;
  const lately = day?.slice(-2);
  const took = drill ? drillTook(drill) : "";
  const bots = tokens ? botsHealth(tokens, now) : null;
  const queued = queueHealth(overview, queue);
  return (
    <section aria-label="Figures" className="flex shrink-0 flex-wrap border-b border-line">
      {tokens && bots ? <Figure label="Bots" tab="bots" value={count(liveTokens(tokens, now).size)} unit="with tokens" {...bots} /> : null}
      <Figure label="Queues" tab="queues" value={count(overview.queue_depth)} unit="waiting" {...queued} />
      <Figure label="Pipeline" tab="pipeline" value={count(overview.running)} unit={overview.running === 1 ? "run at work" : "runs at work"} note={lately?.[0] ? `${count(lately.reduce((sum, bucket) => sum + endedIn(bucket), 0))} ended since ${bucketName(lately[0].start, 3600)}` : ""} />
      {drill ? <Figure label="Canary" tab="canary" value={took || drill.status} unit={took ? "from halt to dead" : ""} trouble={drill.status === "failed"} note={`drill ${drill.status === "running" ? "under way" : drill.status}, ${since(drill.created_at, now)} ago`} /> : drills ? <Figure label="Canary" tab="canary" value="none" unit="yet" note="the switch has not been drilled" /> : null}
      <Figure label="Workspaces" value={count(overview.workspaces)} unit="in this organization" note={overview.engine ? `engine ${overview.engine}` : "no engine found"} trouble={!overview.engine} />
    </section>
  );
}

function ByStatus({ overview }: { overview: Overview | undefined }) {
  const statuses = ORDER.filter((status) => (overview?.runs_by_status[status] ?? 0) > 0);
  const most = Math.max(1, ...statuses.map((status) => overview?.runs_by_status[status] ?? 0));
  return (
    <>
      <h2 className="flex h-10 items-center border-b border-line px-5 text-13 font-semibold">Runs by status <span className="ml-1 font-normal text-ink-3">live, and ended within a day</span></h2>
      <ul className="border-b border-line py-2">
        {statuses.map((status) => {
          const n = overview?.runs_by_status[status] ?? 0;
          const look = statusLook({ status });
          return (
            <li key={status} className="flex h-8 items-center gap-3 px-5 text-13">
              <StatusIcon status={status} />
              <span className="w-32 shrink-0">{look.word}</span>
              <span className="h-2 grow bg-sunken" aria-hidden><span className={cx("block h-full min-w-0.5", BAR[look.tone])} style={{ width: `${(n / most) * 100}%` }} /></span>
              <span className="tnum w-10 shrink-0 text-right font-medium">{count(n)}</span>
            </li>
          );
        })}
        {overview && statuses.length === 0 ? <li className="px-5 py-2 text-12 text-ink-2">No run in the last day.</li> : null}
      </ul>
    </>
  );
}

function ChainLine() {
  const mayAudit = useMay()("audit:read") === null;
  const chain = useQuery({ queryKey: [...keys.audit, "chain"], queryFn: ({ signal }) => http.get<ChainReport>("/audit/chain", undefined, signal), enabled: mayAudit, staleTime: 60_000 }).data;
  if (!chain) return null;
  return (
    <p className={cx("flex items-center gap-2 px-5 py-3 text-12", !chain.is_intact && "text-destroy")}>
      {chain.is_intact ? <ShieldCheck size={14} className="text-create" aria-hidden /> : <TriangleAlert size={14} aria-hidden />}
      {chain.is_intact ? `Audit chain verified, ${chain.is_complete ? "" : "the first "}${count(chain.checked)} events` : `Audit chain: ${chain.message}`}
    </p>
  );
}

/** The installation at a glance: how runs end and how fast, who waits, how each part does, and the latest runs. */
export function OverviewTab({ window }: { window: HistoryWindow }) {
  const { data: overview, error: noOverview } = useQuery(overviewQuery);
  const { data: runs, error: noRuns } = useQuery(runsQuery({ limit: 30 }));
  return (
    <>
      <Charts window={window} />
      {overview ? <Figures overview={overview} /> : noOverview ? <Empty title="The installation could not be read.">{explain(noOverview)}</Empty> : <Skeleton rows={2} height={44} />}
      <div className="flex min-h-0 grow max-lg:flex-col">
        <section aria-labelledby="latest" className="min-w-0 grow">
          <div className="flex h-10 items-center justify-between border-b border-line px-5">
            <h2 id="latest" className="text-13 font-semibold">Terraform <span className="ml-1 font-normal text-ink-3">{overview ? `${plural(overview.workspaces, "workspace")}, ` : ""}latest runs</span></h2>
            <Link to="/infra/terraform" search={{}} className="link text-12">All workspaces</Link>
          </div>
          {runs ? <RunsTable caption="Latest runs" runs={runs.items.filter((run) => run.kind !== "apply").slice(0, 14)} empty="No run yet." /> : noRuns ? <Empty title="The runs could not be read.">{explain(noRuns)}</Empty> : <Skeleton rows={8} />}
        </section>
        <aside aria-label="By status" className="w-[372px] shrink-0 border-l border-line max-lg:w-full max-lg:border-l-0">
          <ByStatus overview={overview} />
          <ChainLine />
        </aside>
      </div>
    </>
  );
}
