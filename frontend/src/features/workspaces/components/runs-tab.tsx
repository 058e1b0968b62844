import { Ago } from "@/components/domain/ago";
import { Link } from "@tanstack/react-router";
import { CountLine } from "@/components/domain/counts";
import { PlaceShort } from "@/components/domain/place";
import { StatusText } from "@/components/domain/status";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { RunListItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { wordingOf } from "@/lib/plan/moving";
import { runTitle } from "@/lib/run-title";

/** The history: one row a change. An apply is part of its plan's row. */
export function RunsTab({ runs }: { runs: readonly RunListItem[] | undefined }) {
  const now = useNow();
  if (!runs) return <Skeleton rows={8} />;
  const rows = runs.filter((run) => run.kind !== "apply");
  if (rows.length === 0) return <Empty title="No run yet.">Plan shows what would change. Nothing is applied before it is approved.</Empty>;
  const applies = new Map(runs.filter((run) => run.parent_run_id).map((run) => [run.parent_run_id, run]));
  return (
    <Table caption="Runs of this workspace" head={<><Th>Status</Th><Th>Run</Th><Th>Changes</Th><Th className="max-md:hidden">Requested by</Th><Th className="max-md:hidden">Stack spec</Th><Th className="text-right">When</Th></>}>
      {rows.map((run) => {
        const child = applies.get(run.id);
        const shown = run.status === "approved" && child ? child : run;
        return (
          <Tr key={run.id}>
            <Td className="w-44"><StatusText className="text-12" status={shown.status} kind={shown.kind} phase={shown.phase} halted={shown.halted} /></Td>
            <Td className="max-w-0 min-w-44 truncate">
              <Link to="/infra/terraform/runs/$id" params={{ id: run.id }} className="font-medium hover:underline">{runTitle(run)}</Link>
              {run.kind === "plan" ? null : <span className="ml-2"><Tag>{run.kind}</Tag></span>}
              {run.is_speculative ? <span className="ml-2"><Tag>speculative</Tag></span> : null}
              <PlaceShort run={shown} />
            </Td>
            <Td className="w-40"><CountLine counts={run.summary} wording={wordingOf(run.kind)} /></Td>
            <Td className="w-44 text-ink-2 max-md:hidden">{run.requested_by.name}</Td>
            <Td className="w-24 text-ink-2 max-md:hidden">{run.spec_version.number ? `v${run.spec_version.number}` : "its own"}</Td>
            <Td className="w-32 text-right text-12 text-ink-3"><Ago iso={run.finished_at ?? run.created_at} now={now} suffix=" ago" /></Td>
          </Tr>
        );
      })}
    </Table>
  );
}
