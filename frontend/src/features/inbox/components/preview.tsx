import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Clock, ShieldAlert, ShieldCheck } from "lucide-react";
import { Address } from "@/components/domain/address";
import { ActionMark, CountBoxes } from "@/components/domain/counts";
import { Pips } from "@/components/domain/pips";
import { StatusBadge } from "@/components/domain/status";
import { WordingContext } from "@/components/domain/wording";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/bits";
import { Kbd } from "@/components/ui/kbd";
import { planQuery, runQuery } from "@/lib/api/runs";
import type { RunListItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { hourMinute, span } from "@/lib/format";
import { reasons } from "@/lib/quorum";
import { sentenceOfLoss } from "@/lib/plan/loss";
import { isMove, moveSentence, wordingOf } from "@/lib/plan/moving";
import { changeTree, destructiveChanges } from "@/lib/plan/tree";
import { runTitle, sourceWords, specWords } from "@/lib/run-title";

/** What the run in focus would do, so that opening it is seldom a surprise. */
export function Preview({ item, why, onReject }: { item: RunListItem; why: string; onReject: () => void }) {
  const now = useNow();
  const run = useQuery(runQuery(item.id)).data;
  const plan = useQuery(planQuery(item.id, item.summary !== null)).data;
  const loss = !plan ? null : run && isMove(run.kind) ? moveSentence(run, plan.counts) : sentenceOfLoss(plan.resources);
  const destructive = plan ? destructiveChanges(changeTree(plan.resources)) : [];
  const failed = run?.policy_checks.filter((check) => check.outcome !== "passed") ?? [];
  const passed = (run?.policy_checks.length ?? 0) - failed.length;
  const detail = run?.approvals_detail;
  const waiting = item.status === "awaiting_approval";
  return (
    <aside aria-label="Preview" className="flex w-[372px] shrink-0 flex-col border-l border-line max-lg:hidden">
      <div className="min-h-0 grow overflow-auto" tabIndex={0}>
        <header className="px-4 pt-3 pb-3">
          <p className="flex items-center justify-between">
            <StatusBadge status={item.status} kind={item.kind} phase={item.phase} halted={item.halted} />
            <span className="font-mono text-12 text-ink-3">{item.id.length > 20 ? `…${item.id.slice(-8)}` : item.id}</span>
          </p>
          <h2 className="mt-2.5 text-16 leading-5 font-semibold">{runTitle(item)}</h2>
          <p className="mt-1 text-12 text-ink-2">{item.workspace.name}{specWords(item)}, requested by {item.requested_by.name} {sourceWords(item)}</p>
        </header>
        {item.summary ? <WordingContext value={wordingOf(item.kind)}><div className="border-t border-line"><CountBoxes counts={item.summary} compact /></div></WordingContext> : null}
        <div className="border-y border-line px-4 py-3">
          {run?.failure ? <p><strong className="font-semibold">{run.failure.message}</strong></p> : null}
          {waiting || run?.failure ? null : <p>{item.status_reason ?? why}</p>}
          {loss ? <p><strong className="font-semibold">{loss.worst}</strong> {loss.rest}</p> : plan ? <p className="font-medium">Destroys and replaces nothing.</p> : item.summary ? <Skeleton rows={1} height={20} /> : null}
        </div>
        {destructive.length > 0 ? (
          <div className="border-b border-line px-4 py-3">
            <h3 className="mb-1 text-11 text-ink-3">Destructive changes</h3>
            <ul className="flex flex-col gap-1">
              {destructive.slice(0, 6).map((node) => (
                <li key={node.resource.address} className="min-w-0">
                  <span className="flex min-w-0 items-center gap-1"><ActionMark action={node.action} /><Address address={node.resource.address} /></span>
                  {node.note ? <span className="ml-[92px] block truncate text-12 text-ink-3">{node.forcedBy.length > 0 ? `forced by ${node.forcedBy[0] ?? ""}` : node.note}</span> : null}
                </li>
              ))}
            </ul>
            {destructive.length > 6 ? <p className="mt-1 text-12 text-ink-3">and {destructive.length - 6} more</p> : null}
          </div>
        ) : null}
        {run && run.policy_checks.length > 0 ? (
          <div className="flex flex-col gap-1 border-b border-line px-4 py-3 text-12">
            {failed.map((check) => (
              <p key={check.id} className="flex gap-2"><ShieldAlert size={14} className={check.enforcement_level === "advisory" ? "mt-px shrink-0 text-wait" : "mt-px shrink-0 text-destroy"} aria-hidden /><span>1 {check.enforcement_level} {check.outcome === "error" ? "not evaluated" : "failed"}: <span className="text-ink-2">{check.findings[0]?.message ?? check.error}</span></span></p>
            ))}
            {passed > 0 ? <p className="flex items-center gap-2"><ShieldCheck size={14} className="text-create" aria-hidden />{passed} passed</p> : null}
          </div>
        ) : null}
        {detail && waiting ? (
          <div className="flex flex-col gap-1 border-b border-line px-4 py-3 text-12">
            <p className="flex items-center gap-2"><Pips have={detail.have} need={detail.need} /><span><span className="font-medium">{detail.have} of {detail.need} approved.</span> <span className="text-ink-2">{reasons(detail.because).join(" ")}</span></span></p>
            {run.fingerprint ? (
              <p className="flex items-center gap-2 text-ink-2"><Clock size={13} aria-hidden />{run.fingerprint.is_current ? "Fingerprint same" : <span className="text-wait">Fingerprint moved: plan again</span>}{run.fingerprint.expires_at ? `; superseded at ${hourMinute(run.fingerprint.expires_at, now)}, ${span(Date.parse(run.fingerprint.expires_at) - now)} left` : ""}</p>
            ) : null}
          </div>
        ) : null}
      </div>
      <footer className="flex h-12 shrink-0 items-center justify-end gap-2 border-t border-line-2 bg-raised px-3">
        {waiting && run?.allowed_actions.includes("reject") ? <Button look="ghost" keys="R" onClick={onReject}>Reject</Button> : null}
        <Link to="/infra/terraform/runs/$id" params={{ id: item.id }} className="inline-flex h-7 items-center gap-2 rounded-ctl bg-primary px-2.5 text-13 font-medium text-on-primary hover:opacity-90">
          {waiting ? "Open to approve" : "Open"} <Kbd inverse>↵</Kbd>
        </Link>
      </footer>
    </aside>
  );
}
