import type { ReactNode } from "react";
import { StatusIcon } from "@/components/domain/status";
import type { Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { duration, moment } from "@/lib/format";
import { isFinal, phaseWord, statusLook } from "@/lib/run-status";

interface Entry {
  at: string;
  icon: ReactNode;
  text: ReactNode;
  aside?: string | undefined;
}

const dot = <span className="mx-[3px] size-2 rounded-full bg-mark-idle" aria-hidden />;

function phases(run: Run): Entry[] {
  return run.timings.phases.map((each) => ({ at: each.started_at, icon: dot, text: `${run.kind === "apply" ? "Apply" : "Plan"}: ${phaseWord(each.phase).toLowerCase()}`, aside: duration(each.seconds) }));
}

function entries(run: Run, child: Run | undefined): Entry[] {
  const out: Entry[] = [{ at: run.created_at, icon: dot, text: <>Requested by {run.requested_by.name}</> }];
  for (const each of [run, ...(child ? [child] : [])]) {
    if (each.claimed_at) out.push({ at: each.claimed_at, icon: dot, text: <>{each.kind === "apply" ? "Apply claimed" : "Claimed"}{each.claimed_by?.name ? <> by <code className="text-12">{each.claimed_by.name}</code></> : null}</> });
    out.push(...phases(each));
    if (each.cancel_requested_at) out.push({ at: each.cancel_requested_at, icon: dot, text: "Cancel was requested" });
    if (each.artifacts_removed_at) out.push({ at: each.artifacts_removed_at, icon: dot, text: `${each.kind === "apply" ? "Log of the apply" : "Plan and its log"} removed: too old to keep; decisions and digests stay` });
    if (each.quiesced_at) out.push({ at: each.quiesced_at, icon: dot, text: `${each.kind === "apply" ? "Apply" : "Plan"} quiet: its process is proven dead` });
  }
  for (const decision of run.approvals_detail?.decisions ?? []) {
    const verb = decision.decision === "approve" ? "approved" : decision.decision === "reject" ? "rejected" : "revoked the approval";
    out.push({ at: decision.created_at, icon: dot, text: <><strong className="font-medium">{decision.actor.name}</strong> {verb}{decision.comment ? `: “${decision.comment}”` : ""}</> });
    if (decision.voided_at) out.push({ at: decision.voided_at, icon: dot, text: `Approval of ${decision.actor.name} void: ${decision.void_reason ?? "what was approved has moved"}` });
  }
  for (const override of run.overrides) {
    out.push({ at: override.created_at, icon: dot, text: <><strong className="font-medium">{override.actor.name}</strong> overrode the policies: “{override.reason}”</> });
    if (override.ended_at) out.push({ at: override.ended_at, icon: dot, text: `Override of ${override.actor.name} ended: ${override.end_reason ?? "it counts no more"}` });
  }
  if (child) out.push({ at: child.created_at, icon: dot, text: "Approved; the apply was queued" });
  if (run.finished_at && isFinal(run.status)) out.push({ at: run.finished_at, icon: <StatusIcon status={run.status} halted={run.halted} />, text: <strong className="font-medium">{statusLook(run).word}</strong> });
  return out.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

export function Timeline({ run, child }: { run: Run; child: Run | undefined }) {
  const now = useNow();
  return (
    <ol className="min-h-0 grow overflow-auto py-2">
      {entries(run, child).map((entry, i) => (
        <li key={i} className="flex min-h-8 items-center gap-3 px-5 text-13">
          <time className="tnum w-28 shrink-0 text-12 text-ink-3" dateTime={entry.at}>{moment(entry.at, now)}</time>
          <span className="flex w-3.5 shrink-0 justify-center">{entry.icon}</span>
          <span className="min-w-0">{entry.text}</span>
          <span className="tnum ml-auto shrink-0 text-12 text-ink-3">{entry.aside}</span>
        </li>
      ))}
    </ol>
  );
}
