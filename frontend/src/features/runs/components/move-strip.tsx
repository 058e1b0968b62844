import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, Clock } from "lucide-react";
import { Ring } from "@/components/domain/status";
import type { Run } from "@/lib/api/types";
import { duration } from "@/lib/format";
import { moveTarget } from "@/lib/plan/moving";
import { isFinal } from "@/lib/run-status";

function sentence(run: Run, child: Run): string {
  const where = moveTarget(run);
  if (child.status === "queued") return "Approved; it waits for its turn in the workspace.";
  if (!isFinal(child.status)) return run.kind === "rollback" ? `The state is being rolled back to ${where}.` : `The state is being moved to ${where}.`;
  if (child.status !== "applied") return run.kind === "rollback" ? "The state was not rolled back." : "The state was not moved; it is used where it was.";
  return run.kind === "rollback" ? `The state is as it was at ${where}.` : `The state lies in ${where} now, read back and compared.`;
}

/** How far the rollback or the migration is, and what it left. No resource is touched by either. */
export function MoveStrip({ run, child }: { run: Run; child: Run }) {
  const version = child.state_version;
  return (
    <section aria-label="Progress" className="flex min-h-14 shrink-0 items-center gap-3 border-b border-line px-5 py-2 text-13 max-sm:px-4">
      {child.status === "applied" ? <CircleCheck size={18} className="shrink-0 text-create" aria-hidden /> : child.status === "queued" ? <Clock size={18} className="shrink-0 text-ink-3" aria-hidden /> : isFinal(child.status) ? <CircleX size={18} className="shrink-0 text-destroy" aria-hidden /> : <Ring size={18} className="text-change" />}
      <div className="min-w-0">
        <p role="status">
          <strong className="font-semibold">{sentence(run, child)}</strong>{" "}
          {version ? <>State version {version.number}, serial {version.serial}, is stored{child.timings.total_seconds === null ? "" : `, ${duration(child.timings.total_seconds)} from request to state`}.</> : null}
        </p>
        <p className="text-12 text-ink-2">
          No resource was touched.
          {version ? <> <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} search={{ tab: "state" }} className="link">See the versions</Link>{run.kind === "rollback" ? ", and plan to see what the engine finds." : "."}</> : null}
        </p>
      </div>
    </section>
  );
}
