import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { WorkersTable } from "@/components/domain/workers";
import { Empty, Skeleton } from "@/components/ui/bits";
import { overviewQuery } from "@/features/overview/api/overview";
import { queueHealth } from "@/features/overview/health";
import { explain } from "@/lib/api/http";
import { queueQuery, workersQuery } from "@/lib/api/queue";
import { runsQuery } from "@/lib/api/runs";
import { useMay } from "@/lib/api/session";
import { count, plural } from "@/lib/format";
import { Figure } from "./figures";
import { RunsTable } from "./runs-table";

/** How many runs wait and since when, what each waits for, and who executes them. */
export function QueuesTab() {
  const why = useMay()("organization:manage");
  const { data: overview, error: noOverview } = useQuery(overviewQuery);
  const { data: queue, error: noQueue } = useQuery(queueQuery);
  const unread = noOverview ?? noQueue;
  const workers = useQuery({ ...workersQuery, enabled: why === null });
  const queued = useQuery(runsQuery({ status: "queued", limit: 50 }));
  return (
    <>
      {overview && queue ? (
        <section aria-label="Figures" className="flex shrink-0 flex-wrap border-b border-line">
          <Figure label="Waiting" value={count(queue.queued)} unit={queue.queued === 1 ? "run" : "runs"} {...queueHealth(overview, undefined)} />
          <Figure label="At work" value={count(queue.executing)} unit={queue.effective_limit === null ? `${queue.executing === 1 ? "run" : "runs"}, no limit` : `of at most ${count(queue.effective_limit)}`} note={why ? "of this organization" : <Link to="/settings" search={{ tab: "workers" }} className="link">Set the limit</Link>} />
          <Figure label="Workers" value={count(queue.workers.count)} unit={`execute ${count(queue.workers.busy)} of ${count(queue.workers.concurrency)} at once`} note={queue.workers.count === 0 ? "none was heard of: nothing is planned or applied" : "of every organization"} trouble={queue.workers.count === 0} />
        </section>
      ) : unread ? <Empty title="The figures could not be read.">{explain(unread)}</Empty> : <Skeleton rows={2} height={44} />}
      <h2 className="flex h-10 shrink-0 items-center border-b border-line px-5 text-13 font-semibold">Queued <span className="ml-1 font-normal text-ink-3">newest first</span></h2>
      {queued.error ? <Empty title="The queue could not be read.">{explain(queued.error)}</Empty> : queued.data ? <RunsTable caption="Queued runs" runs={queued.data.items} empty="Nothing waits." /> : <Skeleton rows={3} />}
      <h2 className="flex h-10 shrink-0 items-center border-b border-line px-5 text-13 font-semibold">Workers{workers.data ? <span className="ml-1 font-normal text-ink-3">{plural(workers.data.items.filter((each) => each.is_alive).length, "alive", "alive")}</span> : null}</h2>
      {why ? <Empty title="The workers are shown to admins.">{why}</Empty> : workers.error ? <Empty title="The workers could not be read.">{explain(workers.error)}</Empty> : workers.data ? <WorkersTable workers={workers.data.items} /> : <Skeleton rows={3} />}
    </>
  );
}
