import { Ago } from "@/components/domain/ago";
import { Link } from "@tanstack/react-router";
import { LockOpen, TriangleAlert } from "lucide-react";
import { CountLine } from "@/components/domain/counts";
import { Pips } from "@/components/domain/pips";
import { StatusIcon } from "@/components/domain/status";
import type { InboxItem } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { plural, shortId } from "@/lib/format";
import { statusLook } from "@/lib/run-status";
import { wordingOf } from "@/lib/plan/moving";
import { runTitle } from "@/lib/run-title";

function Outcome({ item: { run, lock, resources } }: { item: InboxItem }) {
  if (resources > 0) return <span className="text-replace">{plural(resources, "resource")}</span>;
  if (lock) return <span className="text-replace">holder dead</span>;
  if (run.status === "awaiting_approval" && run.approvals) {
    return <span className="flex items-center gap-2"><Pips have={run.approvals.have} need={run.approvals.need} />{run.approvals.have} of {run.approvals.need}</span>;
  }
  const look = statusLook(run);
  const word = run.status === "policy_blocked" ? (run.verdict === "blocked_soft" ? "soft-mandatory" : "hard-mandatory") : run.halted ? "halted" : look.word.toLowerCase();
  return <span className={look.tone === "destroy" ? "text-destroy" : "text-ink-2"}>{word}</span>;
}

/** The count of approvals has its own column; then who asked says more. */
function becauseWords({ run, why }: InboxItem): string {
  return /^\d+ of \d+ approvals?\.?$/.test(why) ? `requested by ${run.requested_by.name}` : why;
}

/** Where an item is dealt with: a lock at its card, resources on the recovery list, all else at its run. */
export function placeOf({ run, lock, resources }: InboxItem) {
  if (resources > 0) return { to: "/infra/terraform/workspaces/$id" as const, params: { id: run.workspace.id }, search: { tab: "state", left: "resources" } };
  return lock
    ? { to: "/infra/terraform/workspaces/$id" as const, params: { id: run.workspace.id }, search: { tab: "state" }, hash: "lock" }
    : { to: "/infra/terraform/runs/$id" as const, params: { id: run.id }, search: {} };
}

/** Two lines: what it is, and why it is here. */
export function InboxRow({ item, current, unread, now, onFocus }: { item: InboxItem; current: boolean; unread: boolean; now: number; onFocus: () => void }) {
  const { run, lock, resources } = item;
  return (
    <li className={cx("relative", current && "bg-selected shadow-[inset_2px_0_0_var(--ink)]")}>
      <Link
        {...placeOf(item)}
        onFocus={onFocus}
        onPointerMove={(event) => { if (event.pointerType === "mouse" && !current) onFocus(); }}
        aria-current={current ? "true" : undefined}
        className={cx("inset-focus flex h-12 items-center gap-2.5 border-b border-line pr-4 pl-2 max-sm:h-auto max-sm:min-h-14 max-sm:py-1.5", !current && "hover:bg-hover")}
      >
        <span className={cx("size-1.5 shrink-0 rounded-full", unread ? "bg-focus" : "bg-transparent")} aria-hidden />
        {resources > 0 ? <TriangleAlert size={15} className="shrink-0 text-replace" aria-hidden /> : lock ? <LockOpen size={15} className="shrink-0 text-replace" aria-hidden /> : <StatusIcon status={run.status} kind={run.kind} phase={run.phase} halted={run.halted} size={15} />}
        <span className="min-w-0 grow">
          <span className={cx("block truncate text-13", unread && "font-medium")}>{unread ? <span className="sr-only">Unread. </span> : null}{resources > 0 ? `${plural(resources, "resource")} that ${shortId(run.id)} may have left` : lock ? `State lock of ${shortId(run.id)}, whose runner is dead` : runTitle(run)}</span>
          <span className="block truncate text-12 text-ink-2"><span className="font-medium">{run.workspace.name}</span> <span className="ml-1 text-ink-3">{becauseWords(item)}</span></span>
        </span>
        <span className="w-[116px] shrink-0 text-12 max-md:hidden"><CountLine counts={run.summary} wording={wordingOf(run.kind)} /></span>
        <span className="w-[104px] shrink-0 text-12 max-sm:hidden"><Outcome item={item} /></span>
        <span className="w-[68px] shrink-0 text-right text-12 text-ink-3"><Ago iso={item.since} now={now} /></span>
      </Link>
    </li>
  );
}
