import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { StatusBadge } from "@/components/domain/status";
import { WordingContext } from "@/components/domain/wording";
import { applyProgress } from "@/features/runs/apply/model";
import { ApplyStrip } from "@/features/runs/apply/table";
import { useChangeView } from "@/components/changes/use-change-view";
import { useSeen } from "@/components/changes/use-seen";
import { OverrideDialog } from "@/features/runs/decide/override-dialog";
import { DecisionBar } from "@/features/runs/decide/bar";
import { ReasonDialog } from "@/components/ui/reason-dialog";
import { WorkingBar } from "@/features/runs/decide/working-bar";
import { useRunActions } from "@/features/runs/hooks/use-run-actions";
import type { RunData } from "@/features/runs/hooks/use-run-data";
import { downloadLog } from "@/features/runs/log/download";
import { useLog } from "@/features/runs/log/use-log";
import { Approvals } from "@/features/runs/rail/approvals";
import { Fingerprint } from "@/features/runs/rail/fingerprint";
import { Policies } from "@/features/runs/rail/policies";
import { LockFacts, Phases, ProofFacts, Verified } from "@/features/runs/rail/progress";
import { Result } from "@/features/runs/rail/result";
import { Timings } from "@/features/runs/rail/timings";
import { Upstream } from "@/features/runs/rail/upstream";
import { useMay, useMe } from "@/lib/api/session";
import type { Run } from "@/lib/api/types";
import { currentStateQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";
import { shortId, span } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { isFinal, isWorking, tellsPlace } from "@/lib/run-status";
import { isMove, wordingOf } from "@/lib/plan/moving";
import { runTitle, specWords } from "@/lib/run-title";
import { PHONE, useMedia } from "@/lib/use-media";
import { RunHeader } from "./header";
import { LossStrip } from "./loss-strip";
import { MoveStrip } from "./move-strip";
import { RunNotices } from "./notices";
import { PhoneSummary } from "./phone-summary";
import { RunBody, RunTabs, type Views } from "./run-body";

function defaultTab(data: RunData): string {
  if (isMove(data.run.kind)) return data.plan ?? data.planned ? "changes" : "log";
  if (data.run.child_run_id ?? data.child) return "apply";
  return data.plan ?? data.planned ? "changes" : "log";
}

/** The page that matters: one run, with its apply. */
export function RunView({ data, tab: asked, decide, line }: { data: RunData; tab: string | undefined; decide: string | undefined; line?: number | undefined }) {
  const { run, child, plan, estimate, tree, driftTree, destructive, loss } = data;
  const me = useMe();
  const mayPlan = useMay()(isMove(run.kind) ? "state:write" : run.kind === "destroy" ? "runs:destroy" : "runs:plan");
  const phone = useMedia(PHONE);
  const workspaceTotal = useQuery(currentStateQuery(run.workspace.id)).data?.resource_count ?? null;
  const typedRef = useRef<HTMLInputElement>(null);
  const seen = useSeen(me.id, run.id, run.fingerprint?.digest ?? "");
  const none = useSeen(me.id, run.id, "drift");
  const childId = child?.id ?? run.child_run_id;
  const log = useLog(run.id, !childId);
  const applyLog = useLog(childId ?? null, Boolean(childId));
  const progress = applyProgress(isMove(run.kind) ? [] : plan?.resources ?? [], applyLog?.events ?? [], child ? isFinal(child.status) : false, estimate);
  const views: Views = { changes: useChangeView(tree, destructive, seen, wordingOf(run.kind)), drift: useChangeView(driftTree, [], none), log, applyLog, progress };
  const actions = useRunActions(run, child);
  const { askReject } = actions;
  const mayReject = run.allowed_actions.includes("reject");
  const [overriding, setOverriding] = useState(false);
  const openOverride = () => {
    actions.override.reset();
    setOverriding(true);
  };
  const asking = useRef(false);
  useEffect(() => {
    // “Reject” pressed in the inbox opens the dialog here, once; it never acts by itself.
    if (decide !== "reject" || !mayReject || asking.current) return;
    asking.current = true;
    askReject();
  }, [decide, mayReject, askReject]);
  const tab = asked ?? (phone ? "summary" : defaultTab(data));
  const shown = child && (!isFinal(run.status) || run.status === child.status) ? child : run;
  const waiting = run.status === "awaiting_approval";
  const deciding = waiting || run.status === "policy_blocked";
  const working = child ? !isFinal(child.status) : isWorking(run.status);
  const may = (action: Run["allowed_actions"][number]) => run.allowed_actions.includes(action) || (child?.allowed_actions.includes(action) ?? false);
  const open = (act: () => void, action: Run["allowed_actions"][number]) => () => { if (may(action)) act(); };
  const changes = tab === "drift" ? views.drift : views.changes;
  const inTree = tab === "changes" || tab === "drift";

  useKeys({
    a: waiting ? () => typedRef.current?.focus() : undefined,
    r: open(actions.askReject, "reject"),
    d: open(actions.askDiscard, "discard"),
    o: open(openOverride, "override"),
    "shift+c": open(actions.askCancel, "cancel"),
    n: waiting ? () => views.changes.moveUnseen(1) : undefined,
    "shift+n": waiting ? () => views.changes.moveUnseen(-1) : undefined,
    ...(inTree
      ? {
          j: () => changes.move(1), k: () => changes.move(-1), arrowdown: () => changes.move(1), arrowup: () => changes.move(-1),
          arrowleft: () => changes.fold(false), arrowright: () => changes.fold(true), enter: () => { if (changes.cursor) changes.toggle(changes.cursor); },
          z: () => changes.foldAll(), x: () => changes.markSeen(), space: () => changes.markSeen(),
          "/": () => document.querySelector<HTMLInputElement>("[data-filter]")?.focus(),
        }
      : {}),
  });

  const rail = (
    <aside aria-label="About the run" className="w-[372px] shrink-0 overflow-auto border-l border-line max-lg:w-[320px] max-md:hidden" tabIndex={0}>
      {child ? <Result run={run} child={child} /> : null}
      {working || child ? <Phases run={child ?? run} /> : null}
      <ProofFacts run={child ?? run} />
      {child ? <Verified child={child} /> : null}
      {child ? <LockFacts run={child} /> : null}
      <Approvals run={run} fourEyesOff={run.approvals_detail ? !run.approvals_detail.four_eyes : false} onRevoke={run.allowed_actions.includes("revoke") && run.approvals_detail?.you.decision === "approve" ? actions.askRevoke : null} />
      <Policies run={run} onOverride={run.status === "policy_blocked" && run.allowed_actions.includes("override") && run.approvals_detail?.you.may_override ? openOverride : null} />
      <Fingerprint run={run} />
      <Upstream run={run} />
      {working ? null : <Timings run={child ?? run} />}
    </aside>
  );
  return (
    <WordingContext value={wordingOf(run.kind)}>
    <main className="flex min-h-0 grow flex-col">
      {phone && asked ? null : <RunHeader run={run} shown={shown} child={child} onPlanAgain={run.kind === "apply" ? null : () => actions.planAgain.mutate()} planAgainBlocked={mayPlan} onDownloadLog={() => downloadLog(run.id, applyLog ?? log)} />}
      {phone ? <PhoneTitle data={data} small={Boolean(asked)} /> : null}
      {phone && asked ? null : (
        <>
          <RunNotices run={run} child={child} />
          {child && plan && isMove(run.kind) ? <MoveStrip run={run} child={child} /> : child && plan ? <ApplyStrip progress={progress} child={child} estimate={estimate} /> : plan ? <LossStrip run={run} plan={plan} loss={loss} total={workspaceTotal} /> : null}
        </>
      )}
      <div className="flex min-h-0 grow">
        <div className="flex min-w-0 grow flex-col">
          {phone && !asked ? <PhoneSummary data={data} view={views.changes} markable={waiting} /> : (
            <>
              <RunTabs data={data} views={views} tab={tab} />
              <RunBody data={data} views={views} tab={tab} markable={waiting} line={line} />
            </>
          )}
        </div>
        {rail}
      </div>
      {deciding && run.kind !== "apply" ? (
        <DecisionBar key={run.id} run={run} view={views.changes} busy={actions.busy} error={actions.error} typedRef={typedRef} onApprove={(comment) => actions.approve.mutate(comment)} onReject={actions.askReject} onDiscard={actions.askDiscard} onOverride={openOverride} />
      ) : working ? (
        <WorkingBar
          shown={shown}
          error={actions.error}
          words={workingWords(data, progress.active, progress.waiting)}
          cancel={{ label: run.cancel_requested_at ?? child?.cancel_requested_at ? "Cancel requested" : "Cancel run", blocked: run.cancel_requested_at ?? child?.cancel_requested_at ? "Cancel was requested; the process is ending" : may("cancel") ? null : "You lack the right to cancel runs", act: actions.askCancel }}
        />
      ) : null}
      <OverrideDialog run={run} open={overriding} onClose={() => setOverriding(false)} busy={actions.override.isPending} error={actions.override.error} onOverride={(body) => actions.override.mutateAsync(body)} />
      <ReasonDialog ask={actions.ask} onClose={actions.closeAsk} error={actions.error} />
    </main>
    </WordingContext>
  );
}

function workingWords({ run, child }: RunData, active: number, left: number): string {
  if (child) {
    if (child.status === "queued") return `Approved. ${child.queue?.code === "starting" ? "The apply starts as soon as a worker takes it." : "The apply waits for its turn, and goes before plans."}`;
    if (isMove(run.kind)) return run.kind === "rollback" ? "The state is being written as a new version. No resource is touched." : "The state is being moved. No resource is touched.";
    if (active + left === 0) return "The engine has done every change; what it left is being stored.";
    return `Cancel starts nothing more, lets the ${active === 1 ? "operation" : `${active} operations`} in hand end, and keeps the state.${left > 0 ? ` ${left} would stay undone.` : ""}`;
  }
  if (run.status === "queued") return tellsPlace(run) ? "Cancel takes it out of the queue." : "Queued. It starts as soon as a worker takes it.";
  return "A plan changes nothing. Cancel interrupts it.";
}

function PhoneTitle({ data: { run, child }, small }: { data: RunData; small: boolean }) {
  const now = useNow();
  const shown = child && (!isFinal(run.status) || run.status === child.status) ? child : run;
  if (small) return <h1 className="shrink-0 truncate border-b border-line px-4 py-2 text-13 font-medium">{runTitle(run)}</h1>;
  return (
    <div className="shrink-0 border-b border-line px-4 pt-3 pb-2">
      <p className="flex items-center justify-between">
        <StatusBadge status={shown.status} kind={shown.kind} phase={shown.phase} halted={shown.halted} />
        <span className="font-mono text-12 text-ink-2">{shortId(run.id)}</span>
      </p>
      <h1 className="mt-2 text-18 font-semibold">{runTitle(run)}</h1>
      <p className="mt-1 text-13"><span className="font-medium">{run.workspace.name}</span>{specWords(run)}</p>
      <p className="text-13 text-ink-2">{run.requested_by.name}, {run.planned_at ? `planned ${span(now - Date.parse(run.planned_at))} ago` : `requested ${span(now - Date.parse(run.created_at))} ago`}</p>
    </div>
  );
}
