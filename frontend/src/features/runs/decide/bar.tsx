import { Lock, ShieldOff } from "lucide-react";
import { type Ref, useState } from "react";
import { Address } from "@/components/domain/address";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/field";
import { Kbd } from "@/components/ui/kbd";
import { TypedName } from "@/components/ui/typed-name";
import type { Run } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import type { ChangeView } from "@/components/changes/use-change-view";
import { gate } from "./gate";
import { SeenPips } from "./seen-pips";

interface DecisionBarProps {
  run: Run;
  view: ChangeView;
  busy: boolean;
  error: string | null;
  typedRef: Ref<HTMLInputElement>;
  onApprove: (comment: string) => void;
  onReject: () => void;
  onDiscard: () => void;
  onOverride: () => void;
}

/** Always in sight while a plan waits. What is missing is said; the press names what it does. */
export function DecisionBar({ run, view, busy, error, typedRef, onApprove, onReject, onDiscard, onOverride }: DecisionBarProps) {
  const [typed, setTyped] = useState("");
  const [comment, setComment] = useState("");
  const state = gate(run, view.destructive, view.unseen.length, typed);
  const total = view.destructive.length;
  const may = run.allowed_actions.includes("approve");
  const next = view.unseen[0];
  return (
    <section aria-label="Decision" className="flex min-h-16 shrink-0 items-center gap-x-5 gap-y-2 border-t max-lg:flex-wrap border-line-2 bg-raised px-5 py-2 max-sm:flex-col max-sm:items-stretch max-sm:gap-2 max-sm:px-4 max-sm:py-3">
      {state.destructive && may && total > 0 ? (
        <div className="shrink-0 text-12 whitespace-nowrap max-sm:hidden">
          <p className="flex items-center gap-2">
            <SeenPips destructive={view.destructive} isSeen={view.seen.has} />
            <span role="status" className="text-13 font-medium">{total - view.unseen.length} of {total} destructive changes seen</span>
          </p>
          {next ? (
            <p className="mt-0.5 flex items-center gap-2 text-ink-2">
              <button type="button" className="hover:underline" onClick={() => view.moveUnseen(1)}>Next unseen</button> <Kbd>N</Kbd> <Address address={next.resource.address} className="max-w-52" />
            </p>
          ) : null}
        </div>
      ) : null}
      {state.destructive && may ? (
        <label className="flex shrink-0 items-center gap-3 text-12 text-ink-2 max-sm:flex-col max-sm:items-stretch max-sm:gap-1.5">
          <span className="text-right max-sm:text-left">
            This plan destroys.<br className="max-sm:hidden" /> Type the workspace&apos;s name.
          </span>
          <TypedName name={run.workspace.name} typed={typed} onTyped={setTyped} inputRef={typedRef} />
        </label>
      ) : may ? (
        <label className="flex min-w-0 grow items-center gap-2 text-12 text-ink-2 max-sm:hidden">
          Comment
          <Input ref={typedRef} className="max-w-sm" placeholder="Kept with the approval" value={comment} onChange={(event) => setComment(event.target.value)} />
        </label>
      ) : null}
      <p className={cx("ml-auto min-w-0 shrink text-right text-12 text-ink-2 max-sm:hidden", run.status === "policy_blocked" ? "max-w-[460px]" : "max-w-[200px]")} role="status">
        {error ? <span className="text-destroy">{error}</span> : state.missing ? <span>{state.missing}{/[.!]$/.test(state.missing) ? "" : "."}</span> : state.effect}
      </p>
      <div className="flex shrink-0 items-center gap-2">
        {run.allowed_actions.includes("discard") ? <Button size={32} look="ghost" keys="D" onClick={onDiscard} className="max-sm:hidden">Discard</Button> : null}
        {run.allowed_actions.includes("reject") ? <Button size={32} keys="R" onClick={onReject}>Reject</Button> : null}
        {run.status === "policy_blocked" && run.approvals_detail ? (
          <Button size={32} className="max-sm:grow" keys="O" icon={<ShieldOff size={14} />} blocked={run.approvals_detail.you.may_override ? null : (run.approvals_detail.you.why_not_override ?? "You can't override this plan")} disabled={busy} onClick={onOverride}>Override</Button>
        ) : null}
        {run.status === "awaiting_approval" ? (
          <Button
            size={32}
            className="max-sm:grow"
            look={state.destructive ? "danger" : "primary"}
            icon={state.missing ? <Lock size={14} /> : undefined}
            blocked={state.missing}
            disabled={busy}
            onClick={() => onApprove(comment)}
          >
            {state.label}
          </Button>
        ) : null}
      </div>
      <p className="text-center text-12 text-ink-2 sm:hidden" role="status">{error ? <span className="text-destroy">{error}</span> : (state.missing ?? state.effect)}</p>
    </section>
  );
}
