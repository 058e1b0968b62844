import { Ago } from "@/components/domain/ago";
import { Link } from "@tanstack/react-router";
import { Download, Ellipsis, Link2, RefreshCw } from "lucide-react";
import { useState } from "react";
import { StatusBadge } from "@/components/domain/status";
import { FactCell, FactStrip } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import type { Run, RunListItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortDigest, shortId } from "@/lib/format";
import { isMove, moveTarget } from "@/lib/plan/moving";
import { runTitle, sourceWords } from "@/lib/run-title";
import { isFinal } from "@/lib/run-status";

function MoveTarget({ run }: { run: Run }) {
  const id = run.target?.state_version_id;
  if (run.kind === "rollback" && id) {
    return (
      <>
        <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} search={{ tab: "state", version: id }} className="font-medium hover:underline">Version {run.target?.state_version_number}</Link> <span className="text-ink-3">serial {run.target?.state_version_serial}</span>
      </>
    );
  }
  return <span className="font-medium">{moveTarget(run)}</span>;
}

interface HeaderProps {
  run: Run;
  /** What is at work or was last: the apply once there is one. */
  shown: RunListItem;
  child: Run | undefined;
  onPlanAgain: (() => void) | null;
  planAgainBlocked: string | null;
  onDownloadLog: () => void;
}

export function RunHeader({ run, shown, child, onPlanAgain, planAgainBlocked, onDownloadLog }: HeaderProps) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(location.href);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_600);
  };
  return (
    <>
      <div className="flex min-h-12 shrink-0 items-center gap-3 border-b border-line px-5 py-1.5 max-sm:hidden">
        <StatusBadge status={shown.status} kind={shown.kind} phase={shown.phase} halted={shown.halted} />
        <h1 className="min-w-0 truncate text-18 font-semibold" title={runTitle(run)}>{runTitle(run)}</h1>
        <div className="ml-auto flex items-center gap-2">
          <Button look="ghost" icon={<Link2 size={14} />} onClick={() => void copy()}>{copied ? "Copied" : "Copy link"}</Button>
          {onPlanAgain && (!isMove(run.kind) || run.status !== "applied") && (isFinal(run.status) || run.status === "awaiting_approval" || run.status === "policy_blocked") ? (
            <Button icon={<RefreshCw size={14} />} blocked={planAgainBlocked} onClick={onPlanAgain}>{run.kind === "rollback" ? "Roll back again" : run.kind === "migration" ? "Move again" : "Plan again"}</Button>
          ) : null}
          <Menu label="More" trigger={<Button aria-label="More" className="px-1.5"><Ellipsis size={16} /></Button>}>
            <MenuItem icon={<Download size={14} />} onSelect={onDownloadLog}>Download the log</MenuItem>
            <MenuItem icon={<Link2 size={14} />} onSelect={() => void navigator.clipboard.writeText(run.id)}>Copy the run&apos;s id</MenuItem>
          </Menu>
        </div>
      </div>
      <RunFacts run={run} child={child} />
    </>
  );
}

function RunFacts({ run, child }: { run: Run; child: Run | undefined }) {
  const now = useNow();
  const at = run.planned_at ?? run.created_at;
  return (
    <FactStrip className="max-sm:hidden">
      <FactCell label="Run">
        <span className="font-mono">{shortId(run.id)}</span> <span className="text-ink-3">{run.is_speculative ? "speculative " : ""}{run.kind}</span>
      </FactCell>
      <FactCell label="Workspace">
        <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} className="font-medium hover:underline">{run.workspace.name}</Link> <span className="text-ink-3">{run.workspace.tags.join(", ")}</span>
      </FactCell>
      <FactCell label="Requested by">
        {run.requested_by.name} <span className="text-ink-3">{sourceWords(run)}</span>
      </FactCell>
      <FactCell label="Stack spec">
        <Link to="/infra/terraform/stacks/$id" params={{ id: run.stack.name }} search={run.spec_version.number ? { b: String(run.spec_version.number) } : {}} className="hover:underline">
          <span className="font-medium">{run.stack.name} {run.spec_version.number ? `v${run.spec_version.number}` : shortDigest(run.spec_version.hash)}</span>
        </Link>
      </FactCell>
      {run.configuration.digest ? <FactCell label="Configuration"><span className="font-mono">{shortDigest(run.configuration.digest)}</span></FactCell> : null}
      {isMove(run.kind) ? <FactCell label={run.kind === "rollback" ? "Back to" : "Moves to"}><MoveTarget run={run} /></FactCell> : null}
      {run.engine ? <FactCell label="Engine">{run.engine.kind === "tofu" ? "OpenTofu" : "Terraform"} <span className="text-ink-3">{run.engine.version}</span></FactCell> : null}
      {child?.claimed_by?.name ? <FactCell label="Runner"><span className="font-mono">{child.claimed_by.name}</span></FactCell> : null}
      <FactCell label={child ? "Apply started" : run.planned_at ? "Planned" : "Requested"}>
        {moment(child?.claimed_at ?? child?.created_at ?? at, now)} <span className="text-ink-3"><Ago iso={child?.claimed_at ?? child?.created_at ?? at} now={now} suffix=" ago" /></span>
      </FactCell>
    </FactStrip>
  );
}
