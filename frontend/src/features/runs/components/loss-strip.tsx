import { Fragment } from "react";
import { CountBoxes } from "@/components/domain/counts";
import type { PlanView, Run } from "@/lib/api/types";
import { plural } from "@/lib/format";
import type { Loss } from "@/lib/plan/loss";
import { isMove } from "@/lib/plan/moving";

/** The worst sentence first, then how far it reaches. */
export function LossStrip({ run, plan, loss, total }: { run: Run; plan: PlanView; loss: Loss | null; total: number | null }) {
  const counts = run.summary ?? plan.counts;
  const changed = counts.add + counts.change + counts.replace + counts.destroy + (isMove(run.kind) ? (counts.import ?? 0) + (counts.forget ?? 0) : 0);
  const modules = new Set(plan.resources.filter((each) => each.action !== "no-op").map((each) => each.module)).size;
  const outputs = plan.outputs.filter((each) => each.action !== "no-op").map((each) => each.name);
  return (
    <section aria-label="What this plan does" className="flex shrink-0 border-b border-line max-sm:flex-col">
      {changed > 0 ? <CountBoxes counts={counts} /> : null}
      <div className="flex min-h-14 min-w-0 flex-col justify-center px-5 py-2 text-13 max-sm:min-h-0 max-sm:border-t max-sm:border-line max-sm:px-4 max-sm:py-3">
        <p>
          <strong className="font-semibold">{loss?.worst ?? quiet(run, changed, outputs.length)}</strong> {loss?.rest}
        </p>
        <p className="text-12 text-ink-2">
          {changed > 0 ? `${isMove(run.kind) ? "The state says otherwise of" : "Blast radius:"} ${total !== null && total >= changed ? `${changed} of ${plural(total, "resource")}` : plural(changed, "resource")}, in ${plural(modules, "module")}. ` : null}
          {outputs.length > 0 && outputs.length <= 4 ? <>{outputs.length === 1 ? "Output" : "Outputs"} {outputs.map((name, i) => <Fragment key={name}>{i > 0 ? (i === outputs.length - 1 ? " and " : ", ") : ""}<code>{name}</code></Fragment>)} {outputs.length === 1 ? "changes" : "change"}; who reads {outputs.length === 1 ? "it" : "them"} is not known.</> : outputs.length > 4 ? `${outputs.length} outputs change; who reads them is not known.` : null}
        </p>
      </div>
    </section>
  );
}

function quiet(run: Run, changed: number, outputs: number): string {
  if (changed > 0) return "Destroys and replaces nothing.";
  if (outputs > 0) return "Changes no resource, only outputs.";
  return run.has_changes ? "Changes no resource; moves or forgets some." : "The configuration and what exists are the same.";
}
