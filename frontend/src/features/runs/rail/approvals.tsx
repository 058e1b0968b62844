import { Check, Undo2, UserCheck, UserX, X } from "lucide-react";
import { Pips } from "@/components/domain/pips";
import { Avatar, SectionHead } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import type { Decision, Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment } from "@/lib/format";
import { reasons } from "@/lib/quorum";

function DecisionRow({ decision }: { decision: Decision }) {
  const now = useNow();
  const struck = decision.voided_at !== null;
  return (
    <li className="py-1">
      <div className="flex items-center gap-2">
        <Avatar name={decision.actor.name} />
        <span className={cx("min-w-0 truncate text-13", struck && "text-ink-3 line-through")}>{decision.actor.name}</span>
        {decision.decision === "reject" ? <span className="flex items-center gap-1 text-12 text-destroy"><X size={13} aria-hidden />rejected</span> : null}
        {decision.decision === "revoke" ? <span className="flex items-center gap-1 text-12 text-ink-3"><Undo2 size={13} aria-hidden />revoked</span> : null}
        {decision.decision === "approve" ? <span className="sr-only">approved</span> : null}
        <time className="tnum ml-auto shrink-0 text-12 text-ink-3" dateTime={decision.created_at}>{moment(decision.created_at, now)}</time>
      </div>
      {decision.comment ? <p className="mt-0.5 ml-7 text-12 text-ink-2">“{decision.comment}”</p> : null}
      {!struck && decision.expires_at ? <p className="ml-7 text-12 text-ink-3">{Date.parse(decision.expires_at) > now ? `Counts until ${moment(decision.expires_at, now)}` : "Has run out"}</p> : null}
      {struck ? <p className="mt-0.5 ml-7 text-12 text-wait">Void: {decision.void_reason ?? "what was approved has moved"}</p> : null}
    </li>
  );
}

interface ApprovalsProps {
  run: Run;
  fourEyesOff: boolean;
  onRevoke: (() => void) | null;
}

/** Who decided, when, how many of how many, and because of what. */
export function Approvals({ run, fourEyesOff, onRevoke }: ApprovalsProps) {
  const detail = run.approvals_detail;
  if (!detail) return null;
  const left = Math.max(0, detail.need - detail.have);
  const waiting = run.status === "awaiting_approval";
  const { you } = detail;
  const because = reasons(detail.because);
  return (
    <section aria-labelledby="rail-approvals" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-approvals" title={<span className="flex items-center gap-2">Approvals <Pips have={detail.have} need={detail.need} /></span>} aside={<span className="tnum text-13 text-ink">{detail.have} of {detail.need}</span>} />
      <ul>
        {detail.decisions.map((decision) => <DecisionRow key={decision.id} decision={decision} />)}
        {waiting && left > 0 ? (
          <li className="flex items-center gap-2 py-1 text-13 text-ink-2">
            <span className="size-5 shrink-0 rounded-full border border-dashed border-ctl" aria-hidden />
            {left === 1 ? (detail.have > 0 ? "One more" : "One approval is needed") : `${left} more are needed`}
          </li>
        ) : null}
      </ul>
      {because.length > 0 ? <ul aria-label="Why" className="mt-1 flex flex-col gap-0.5 text-12 text-ink-2">{because.map((each) => <li key={each}>{each}</li>)}</ul> : null}
      {fourEyesOff ? <p className="mt-1 text-12 text-wait">Four-eyes is off in this workspace: the requester may approve.</p> : null}
      {waiting ? (
        <p className="mt-2 flex items-start gap-2 text-12">
          {you.decision === "approve" ? (
            <><Check size={14} className="mt-px shrink-0 text-create" aria-hidden />You approved this plan.</>
          ) : you.may_decide ? (
            <><UserCheck size={14} className="mt-px shrink-0" aria-hidden />You can approve{left === 1 ? ": yours is the last approval needed." : "."}</>
          ) : (
            <><UserX size={14} className="mt-px shrink-0 text-ink-3" aria-hidden /><span className="text-ink-2">You can&apos;t approve: {you.why_not ?? "you lack the right."}</span></>
          )}
        </p>
      ) : null}
      {onRevoke ? <Button size={24} className="mt-2" icon={<Undo2 size={13} />} onClick={onRevoke}>Revoke my approval</Button> : null}
      {detail.decisions.length === 0 && !waiting ? <p className="text-12 text-ink-3">{run.status === "policy_blocked" ? "Asked for once no policy blocks." : "No decision was made."}</p> : null}
    </section>
  );
}
