import { Link } from "@tanstack/react-router";
import { Ago } from "@/components/domain/ago";
import { CountLine } from "@/components/domain/counts";
import { PlaceShort } from "@/components/domain/place";
import { StatusText } from "@/components/domain/status";
import { Empty } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { RunListItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { wordingOf } from "@/lib/plan/moving";
import { isWorking } from "@/lib/run-status";
import { runTitle } from "@/lib/run-title";

/** Runs, one a row: what they are, of which workspace, what they change, since when. */
export function RunsTable({ caption, runs, empty }: { caption: string; runs: readonly RunListItem[]; empty: string }) {
  const now = useNow(5_000);
  if (runs.length === 0) return <Empty title={empty} />;
  return (
    <Table caption={caption} head={<><Th>Status</Th><Th>Run</Th><Th>Workspace</Th><Th className="max-md:hidden">Changes</Th><Th className="text-right">When</Th></>}>
      {runs.map((run) => (
        <Tr key={run.id}>
          <Td className="w-40"><StatusText className="text-12" status={run.status} kind={run.kind} phase={run.phase} halted={run.halted} /></Td>
          <Td className="max-w-0 min-w-44 truncate"><Link to="/infra/terraform/runs/$id" params={{ id: run.id }} className="hover:underline">{runTitle(run)}</Link><PlaceShort run={run} /></Td>
          <Td className="w-44 max-w-44 truncate text-ink-2"><Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} className="hover:underline">{run.workspace.name}</Link></Td>
          <Td className="w-36 max-md:hidden"><CountLine counts={run.summary} wording={wordingOf(run.kind)} /></Td>
          <Td className="w-20 text-right text-12 text-ink-3">{isWorking(run.status) ? "now" : <Ago iso={run.finished_at ?? run.planned_at ?? run.created_at} now={now} />}</Td>
        </Tr>
      ))}
    </Table>
  );
}
