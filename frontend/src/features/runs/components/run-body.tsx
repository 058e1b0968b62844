import { Link, useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { ApplyTable } from "@/features/runs/apply/table";
import type { ApplyProgress } from "@/features/runs/apply/model";
import { ChangeTree } from "@/components/changes/tree";
import type { ChangeView } from "@/components/changes/use-change-view";
import type { RunData } from "@/features/runs/hooks/use-run-data";
import type { LogState } from "@/features/runs/log/store";
import { LogView } from "@/features/runs/log/view";
import { Empty, Skeleton } from "@/components/ui/bits";
import { SearchInput } from "@/components/ui/field";
import { LinkTabs, Segmented, type TabItem } from "@/components/ui/tabs";
import { type ActionTone, countParts, NO_COUNTS } from "@/lib/actions";
import { explain } from "@/lib/api/http";
import { count } from "@/lib/format";
import { isMove, wordingOf } from "@/lib/plan/moving";
import { isFinal } from "@/lib/run-status";
import { Fingerprint } from "@/features/runs/rail/fingerprint";
import { latestChecks } from "@/lib/plan/blocking";
import { MigrationView } from "./migration";
import { OutputsTab } from "./outputs-tab";
import { PoliciesTab } from "./policies-tab";
import { Timeline } from "./timeline";

export interface Views {
  changes: ChangeView;
  drift: ChangeView;
  log: LogState;
  applyLog: LogState | null;
  progress: ApplyProgress;
}

function tabItems({ run, child, plan, tree }: RunData, views: Views): TabItem[] {
  const changed = tree.reduce((sum, module) => sum + module.resources.length, 0);
  const failed = latestChecks(run.policy_checks).filter((check) => check.outcome !== "passed").length;
  const outputs = run.output_changes || (plan?.outputs.filter((each) => each.action !== "no-op").length ?? 0);
  return [
    ...(child ? [{ id: "apply", label: isMove(run.kind) ? "Write" : "Apply", count: views.progress.rows.length > 0 ? `${views.progress.done} of ${views.progress.rows.length}` : undefined }] : []),
    ...(plan ? [run.kind === "migration" ? { id: "changes", label: "Migration" } : { id: "changes", label: "Changes", count: changed }] : []),
    ...((plan?.drift.length ?? 0) > 0 ? [{ id: "drift", label: "Drift", count: plan?.drift.length }] : []),
    { id: "policies", label: "Policies", count: run.policy_checks.length > 0 ? latestChecks(run.policy_checks).length : undefined, alert: failed > 0 ? `${failed} failed` : undefined },
    { id: "log", label: child ? "Plan log" : "Log", count: views.log.lines.length > 0 ? count(views.log.lines.length) : undefined },
    ...(plan && run.kind !== "migration" ? [{ id: "outputs", label: "Outputs", count: outputs > 0 ? outputs : undefined }] : []),
    { id: "timeline", label: "Timeline" },
  ];
}

export function RunTabs({ data, views, tab }: { data: RunData; views: Views; tab: string }) {
  const { run } = data;
  const view = tab === "drift" ? views.drift : views.changes;
  const parts = countParts(run.summary ?? NO_COUNTS, wordingOf(run.kind));
  const total = parts.reduce((sum, part) => sum + part.n, 0);
  return (
    <div className="flex min-h-[38px] shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-5 max-sm:px-4">
      <LinkTabs
        label="Parts of the run"
        items={tabItems(data, views)}
        current={tab}
        linkFor={(id) => ({ to: "/infra/terraform/runs/$id", params: { id: run.id }, search: { tab: id }, replace: true })}
        className="grow"
      />
      {tab === "changes" && total > 0 ? (
        <div className="flex items-center gap-2 py-1 max-lg:hidden">
          {parts.length > 1 ? (
            <Segmented<ActionTone | "all">
              label="Show"
              value={view.filter.tone}
              onChange={(tone) => view.setFilter({ ...view.filter, tone })}
              options={[
                { value: "all", label: `All ${total}` },
                ...parts.map((part) => ({ value: part.tone, name: `${part.n} to ${part.word}`, label: <span className={TONE[part.tone]}><span className="font-mono font-semibold">{part.sign}</span> {part.n}</span> })),
              ]}
            />
          ) : null}
          <SearchInput label="Filter changes" placeholder="Filter" keys="/" className="!h-[26px] w-36" value={view.filter.text} onValue={(text) => view.setFilter({ ...view.filter, text })} data-filter />
        </div>
      ) : null}
    </div>
  );
}

const TONE: Record<ActionTone, string> = { create: "text-create", change: "text-change", replace: "text-replace", destroy: "text-destroy", read: "text-read" };

/** What the chosen tab shows. */
export function RunBody({ data, views, tab, markable, line }: { data: RunData; views: Views; tab: string; markable: boolean; line: number | undefined }) {
  const navigate = useNavigate();
  const { run, child, plan, planError, planned } = data;
  const lines = { asked: line, onAsk: (n: number) => void navigate({ to: "/infra/terraform/runs/$id", params: { id: run.id }, search: { tab, line: n }, replace: true }) };
  switch (tab) {
    case "apply":
      return (
        <div className="flex min-h-0 grow flex-col">
          {isMove(run.kind) ? null : (
            <div className="inset-focus max-h-[46%] shrink-0 overflow-auto" tabIndex={0} role="group" aria-label="Progress by resource">
              <ApplyTable progress={views.progress} live={child ? !isFinal(child.status) : false} />
            </div>
          )}
          <div className="flex min-h-0 grow flex-col border-t border-line">
            {views.applyLog ? <LogView title="Apply log" state={views.applyLog} working={!views.applyLog.closed} {...lines} /> : <Skeleton rows={5} />}
          </div>
        </div>
      );
    case "log":
      return <LogView state={views.log} working={!views.log.closed && !isFinal(run.status) && run.status !== "awaiting_approval"} title={child ? "Plan log" : "Log"} {...lines} />;
    case "policies":
      return <PoliciesTab run={run} />;
    case "timeline":
      return <Timeline run={run} child={child} />;
    case "fingerprint":
      return <div className="min-h-0 grow overflow-auto"><Fingerprint run={run} /></div>;
    default:
      break;
  }
  if (!plan) {
    if (planError) return <Empty title={run.artifacts_removed_at ? "The plan is no longer kept." : "The plan could not be read."}><p role="alert">{explain(planError)}</p></Empty>;
    if (planned) return <Skeleton rows={8} height={28} />;
    return (
      <Empty title={isFinal(run.status) ? "This run left no plan." : "No plan yet."}>
        <Link to="/infra/terraform/runs/$id" params={{ id: run.id }} search={{ tab: "log" }} className="link inline-flex items-center gap-1"><Search size={13} aria-hidden />Read its log</Link>
      </Empty>
    );
  }
  if (run.kind === "migration" && plan.state_change && tab !== "outputs") return <MigrationView change={plan.state_change} />;
  if (tab === "outputs") return <OutputsTab run={run} child={child} plan={plan} />;
  if (tab === "drift") return <ChangeTree key="drift" view={views.drift} checks={[]} markable={false} label="Drift: changed outside Sluice" />;
  return <ChangeTree key="changes" view={views.changes} checks={latestChecks(run.policy_checks)} markable={markable} label="Changes" {...(isMove(run.kind) ? { empty: { title: "The state says the same of every resource.", text: "What differs, if anything, is under Outputs." } } : {})} />;
}
