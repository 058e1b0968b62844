import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, CircleX } from "lucide-react";
import { Ago } from "@/components/domain/ago";
import { Ring } from "@/components/domain/status";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { drillHistoryQuery } from "@/features/overview/api/overview";
import { beginDrill } from "@/lib/api/halts";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import type { Drill } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { drillTook } from "@/lib/drill";
import { duration } from "@/lib/format";

function Outcome({ drill }: { drill: Drill }) {
  if (drill.status === "running") return <span className="inline-flex items-center gap-1.5 text-change"><Ring />under way</span>;
  if (drill.status === "passed") return <span className="inline-flex items-center gap-1.5 text-create"><Check size={14} aria-hidden />passed</span>;
  return <span className="inline-flex items-center gap-1.5 text-destroy"><CircleX size={14} aria-hidden />failed</span>;
}

/** The synthetic run that proves the path: planned, let through the gate, applied, halted, proven dead, resumed. */
export function CanaryTab() {
  const now = useNow(5_000);
  const may = useMay();
  const unread = may("halt:read");
  const why = may("halt:drill");
  const queryClient = useQueryClient();
  const drills = useQuery({ ...drillHistoryQuery, enabled: unread === null });
  const begin = useMutation({ mutationFn: beginDrill, onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.halts }) });
  const rows = drills.data?.items;
  const running = rows?.[0]?.status === "running";
  if (unread) return <Empty title="Drills are shown to those who may see halts.">{unread}</Empty>;
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-1.5 text-12 text-ink-2">
        <p className="mr-auto">A drill plans and applies a canary, halts its workspace and no other, proves that its process is dead, and resumes.</p>
        <Button blocked={why ?? (running ? "A drill is under way" : null)} disabled={begin.isPending} onClick={() => begin.mutate()}>Drill</Button>
      </div>
      {begin.error ? <p role="alert" className="px-5 py-2 text-12 text-destroy">{explain(begin.error)}</p> : null}
      {drills.error ? <Empty title="The drills could not be read.">{explain(drills.error)}</Empty> : !rows ? <Skeleton rows={4} /> : rows.length === 0 ? <Empty title="The switch has not been drilled yet.">Press Drill, or let a schedule do it: <code>sluice halt --drill</code> exits 1 when the switch does not work.</Empty> : (
        <Table caption="Drills" head={<><Th>Drill</Th><Th>Workspace</Th><Th className="text-right">Halt to dead</Th><Th className="text-right max-md:hidden">In all</Th><Th className="max-md:hidden">By</Th><Th>What was seen</Th><Th className="text-right">When</Th></>}>
          {rows.map((drill) => (
            <Tr key={drill.id}>
              <Td className="w-28 text-12 font-medium"><Outcome drill={drill} /></Td>
              <Td>{drill.run_id ? <Link to="/infra/terraform/runs/$id" params={{ id: drill.run_id }} className="hover:underline">{drill.workspace_name}</Link> : drill.workspace_name}</Td>
              <Td className="tnum text-right">{drillTook(drill)}</Td>
              <Td className="tnum text-right text-ink-2 max-md:hidden">{drill.seconds === null ? "" : duration(drill.seconds)}</Td>
              <Td className="text-ink-2 max-md:hidden">{drill.actor.name}</Td>
              <Td className="max-w-0 min-w-40 truncate text-12 text-ink-2" title={drill.steps.map((step) => `${step.detail} (${duration(step.seconds)})`).join("\n")}>{drill.detail ?? drill.steps.find((step) => step.name === "death")?.detail ?? ""}</Td>
              <Td className="w-24 text-right text-12 text-ink-3"><Ago iso={drill.created_at} now={now} suffix=" ago" /></Td>
            </Tr>
          ))}
        </Table>
      )}
    </>
  );
}
