import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Check, CircleX } from "lucide-react";
import { Ring } from "@/components/domain/status";
import { Button } from "@/components/ui/button";
import { beginDrill, drillsQuery } from "@/lib/api/halts";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import type { Drill } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { drillTook } from "@/lib/drill";
import { duration, moment } from "@/lib/format";

const STEPS: Record<Drill["steps"][number]["name"], string> = {
  plan: "A run was started",
  start: "Its engine was at work",
  halt: "Its workspace was halted",
  death: "Its process is dead",
  refusal: "Starts are refused",
  resume: "Resumed",
};

function summary(drill: Drill): string {
  if (drill.status === "running") return `A drill is under way in ${drill.workspace_name}`;
  if (drill.status === "failed") return `The last drill failed: ${drill.detail ?? ""}`;
  return `The last drill passed: from halt to proof of death in ${drillTook(drill)}`;
}

/** Whether the switch works, as the last drill has shown, and a button for another. */
export function Drills() {
  const at = useNow(10_000);
  const queryClient = useQueryClient();
  const why = useMay()("halt:drill");
  const drill = useQuery(drillsQuery).data?.items[0];
  const begin = useMutation({ mutationFn: beginDrill, onSuccess: () => queryClient.invalidateQueries({ queryKey: drillsQuery.queryKey }) });
  const running = drill?.status === "running";
  return (
    <section aria-label="Drill" className="rounded-ctl border border-line px-3 py-2 text-12">
      <div className="flex items-center gap-2">
        {drill ? (running ? <Ring className="text-wait" /> : drill.status === "passed" ? <Check size={14} className="shrink-0 text-create" aria-hidden /> : <CircleX size={14} className="shrink-0 text-destroy" aria-hidden />) : null}
        <span className="min-w-0 grow" role="status">
          {drill ? summary(drill) : "The switch has not been drilled yet"}
          {drill ? null : <span className="block text-ink-3">A drill halts a canary workspace, no other, and proves that its process dies.</span>}
          {drill && !running ? <span className="text-ink-3">, {moment(drill.created_at, at)}</span> : null}
        </span>
        <Button blocked={why ?? (running ? "A drill is under way" : null)} disabled={begin.isPending} onClick={() => begin.mutate()}>Drill</Button>
      </div>
      {begin.error ? <p className="mt-1 text-destroy">{explain(begin.error)}</p> : null}
      {drill && drill.steps.length > 0 ? (
        <ul className="mt-1.5 flex flex-col gap-0.5 text-ink-2">
          {drill.steps.map((step) => (
            <li key={step.name} className="flex gap-2">
              <span className={step.status === "passed" ? "grow" : "grow text-destroy"}>{STEPS[step.name]}</span>
              <span className="tnum text-ink-3">{duration(step.seconds)}</span>
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}
