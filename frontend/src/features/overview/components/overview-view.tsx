import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldCheck, TriangleAlert } from "lucide-react";
import { CountLine } from "@/components/domain/counts";
import { PlaceShort } from "@/components/domain/place";
import { StatusIcon, StatusText } from "@/components/domain/status";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { http } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { queueQuery } from "@/lib/api/queue";
import { runsQuery } from "@/lib/api/runs";
import { useMe } from "@/lib/api/session";
import type { ChainReport, Overview } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { count, plural, since, span } from "@/lib/format";
import { isWorking, type RunStatus, statusLook } from "@/lib/run-status";
import { wordingOf } from "@/lib/plan/moving";
import { runTitle } from "@/lib/run-title";

const ORDER: RunStatus[] = ["awaiting_approval", "policy_blocked", "errored", "queued", "running", "approved", "applied", "no_changes", "superseded", "discarded", "cancelled", "planned"];
const BAR = { wait: "bg-mark-wait", change: "bg-mark-change", create: "bg-mark-create", destroy: "bg-mark-destroy", read: "bg-mark-idle" } as const;

function Figure({ label, value, unit, note, trouble = false }: { label: string; value: string; unit: string; note: string; trouble?: boolean }) {
  return (
    <div className="min-w-[180px] grow border-r border-line px-5 py-3 last:border-r-0 max-sm:border-b">
      <h2 className="flex items-center gap-1.5 text-13 font-semibold">{label}{trouble ? <TriangleAlert size={13} className="text-replace" aria-hidden /> : null}</h2>
      <p className="mt-1"><span className="text-20 font-semibold">{value}</span> <span className="text-13 text-ink-2">{unit}</span></p>
      <p className={cx("text-12", trouble ? "text-replace" : "text-ink-2")}>{note}</p>
    </div>
  );
}

/** Everything that moves infrastructure, at a glance: the queue, the runs by what they are, the latest. */
export function OverviewView() {
  const now = useNow(5_000);
  const me = useMe();
  const overview = useQuery({ queryKey: keys.overview, queryFn: ({ signal }) => http.get<Overview>("/terraform/overview", undefined, signal), refetchInterval: 5_000 }).data;
  const runs = useQuery(runsQuery({ limit: 30 })).data;
  const queue = useQuery(queueQuery).data;
  const mayAudit = me.permissions.includes("audit:read");
  const chain = useQuery({ queryKey: [...keys.audit, "chain"], queryFn: ({ signal }) => http.get<ChainReport>("/audit/chain", undefined, signal), enabled: mayAudit, staleTime: 60_000 }).data;
  const rows = runs?.items.filter((run) => run.kind !== "apply").slice(0, 14);
  const statuses = ORDER.filter((status) => (overview?.runs_by_status[status] ?? 0) > 0);
  const most = Math.max(1, ...statuses.map((status) => overview?.runs_by_status[status] ?? 0));
  const stuck = (overview?.oldest_queued_seconds ?? 0) > 60;
  return (
    <main className="flex min-h-0 grow flex-col overflow-auto">
      <header className="flex min-h-[54px] shrink-0 items-center gap-3 border-b border-line px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">Infra</h1>
        <span className="truncate text-13 text-ink-3">everything that moves infrastructure at {me.organization.name}</span>
      </header>
      {overview ? (
        <section aria-label="Figures" className="flex shrink-0 flex-wrap border-b border-line">
          <Figure label="Queue" value={count(overview.queue_depth)} unit="waiting" trouble={stuck} note={overview.oldest_queued_seconds === null ? "nothing waits" : `oldest ${span(overview.oldest_queued_seconds * 1000)}`} />
          <Figure label="Pipeline" value={count(overview.running)} unit={overview.running === 1 ? "run at work" : "runs at work"} note={`${plural(overview.runs_by_status.awaiting_approval ?? 0, "plan")} at the gate`} />
          {queue ? <Figure label="Workers" value={`${count(queue.workers.busy)} of ${count(queue.workers.concurrency)}`} unit="runs at once" trouble={queue.workers.count === 0} note={queue.workers.count === 0 ? "no worker was heard of" : `${plural(queue.workers.count, "worker")}${queue.effective_limit === null ? "" : `; this organization ${count(queue.executing)} of at most ${count(queue.effective_limit)}`}`} /> : null}
          <Figure label="Workspaces" value={count(overview.workspaces)} unit="in this organization" note={overview.engine ? `engine ${overview.engine}` : "no engine found"} trouble={!overview.engine} />
        </section>
      ) : <Skeleton rows={2} height={44} />}
      <div className="flex min-h-0 grow max-lg:flex-col">
        <section aria-labelledby="latest" className="min-w-0 grow">
          <div className="flex h-10 items-center justify-between border-b border-line px-5">
            <h2 id="latest" className="text-13 font-semibold">Terraform <span className="ml-1 font-normal text-ink-3">latest runs</span></h2>
            <Link to="/infra/terraform" search={{}} className="link text-12">All workspaces</Link>
          </div>
          {rows === undefined ? <Skeleton rows={8} /> : rows.length === 0 ? <Empty title="No run yet." /> : (
            <Table caption="Latest runs" head={<><Th>Status</Th><Th>Run</Th><Th>Workspace</Th><Th className="max-md:hidden">Changes</Th><Th className="text-right">When</Th></>}>
              {rows.map((run) => (
                <Tr key={run.id}>
                  <Td className="w-44"><StatusText className="text-12" status={run.status} kind={run.kind} phase={run.phase} halted={run.halted} /></Td>
                  <Td className="max-w-0 min-w-44 truncate"><Link to="/infra/terraform/runs/$id" params={{ id: run.id }} className="hover:underline">{runTitle(run)}</Link><PlaceShort run={run} /></Td>
                  <Td className="w-44 text-ink-2"><Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} className="hover:underline">{run.workspace.name}</Link></Td>
                  <Td className="w-36 max-md:hidden"><CountLine counts={run.summary} wording={wordingOf(run.kind)} /></Td>
                  <Td className="w-24 text-right text-12 text-ink-3">{isWorking(run.status) ? "now" : since(run.finished_at ?? run.planned_at ?? run.created_at, now)}</Td>
                </Tr>
              ))}
            </Table>
          )}
        </section>
        <aside aria-label="By status" className="w-[372px] shrink-0 border-l border-line max-lg:w-full max-lg:border-l-0">
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
          {chain ? (
            <p className={cx("flex items-center gap-2 px-5 py-3 text-12", !chain.is_intact && "text-destroy")}>
              {chain.is_intact ? <ShieldCheck size={14} className="text-create" aria-hidden /> : <TriangleAlert size={14} aria-hidden />}
              {chain.is_intact ? `Audit chain verified, ${chain.is_complete ? "" : "the first "}${count(chain.checked)} events` : `Audit chain: ${chain.message}`}
            </p>
          ) : null}
        </aside>
      </div>
    </main>
  );
}
