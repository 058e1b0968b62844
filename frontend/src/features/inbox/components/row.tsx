import { Link } from "@tanstack/react-router";
import { CountLine } from "@/components/domain/counts";
import { Pips } from "@/components/domain/pips";
import { StatusIcon } from "@/components/domain/status";
import type { RunListItem } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { since } from "@/lib/format";
import { statusLook } from "@/lib/run-status";
import { runTitle } from "@/lib/run-title";

/** Why it is here, in a few words. */
export function because(run: RunListItem): string {
  if (run.status_reason) return run.status_reason;
  if (run.status === "awaiting_approval") {
    const { requested_by: by } = run;
    if (by.kind === "agent") return `requested by agent ${by.name}, which can't approve`;
    return `requested by ${by.name}`;
  }
  return `${run.stack.name}${run.spec_version.number ? ` v${run.spec_version.number}` : ""}, requested by ${run.requested_by.name}`;
}

export function InboxRow({ run, current, unread, now, onFocus }: { run: RunListItem; current: boolean; unread: boolean; now: number; onFocus: () => void }) {
  const look = statusLook(run);
  return (
    <li className={cx("relative", current && "bg-selected shadow-[inset_2px_0_0_var(--ink)]")}>
      <Link
        to="/infra/terraform/runs/$id"
        params={{ id: run.id }}
        onFocus={onFocus}
        aria-current={current ? "true" : undefined}
        className={cx("inset-focus flex h-12 items-center gap-3 border-b border-line pr-4 pl-2 max-sm:h-auto max-sm:min-h-14 max-sm:py-1.5", !current && "hover:bg-hover")}
      >
        <span className={cx("size-1.5 shrink-0 rounded-full", unread ? "bg-focus" : "bg-transparent")} aria-hidden />
        <StatusIcon status={run.status} kind={run.kind} phase={run.phase} halted={run.halted} size={15} />
        <span className="min-w-0 grow">
          <span className={cx("block truncate text-13", unread && "font-medium")}>{unread ? <span className="sr-only">Unread. </span> : null}{runTitle(run)}</span>
          <span className="block truncate text-12 text-ink-2"><span className="font-medium">{run.workspace.name}</span> <span className="ml-1 text-ink-3">{because(run)}</span></span>
        </span>
        <span className="w-[132px] shrink-0 text-12 max-md:hidden"><CountLine counts={run.summary} /></span>
        <span className="w-[100px] shrink-0 text-12 max-sm:hidden">
          {run.status === "awaiting_approval" && run.approvals ? (
            <span className="flex items-center gap-2"><Pips have={run.approvals.have} need={run.approvals.need} />{run.approvals.have} of {run.approvals.need}</span>
          ) : (
            <span className={look.tone === "destroy" ? "text-destroy" : "text-ink-2"}>{run.verdict === "blocked_hard" ? "hard-mandatory" : run.verdict === "blocked_soft" ? "soft-mandatory" : look.word.toLowerCase()}</span>
          )}
        </span>
        <span className="w-[72px] shrink-0 text-right text-12 text-ink-3">{since(run.finished_at ?? run.created_at, now)}</span>
      </Link>
    </li>
  );
}
