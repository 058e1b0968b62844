import { Link } from "@tanstack/react-router";
import { Download, Ellipsis, Link2, RefreshCw } from "lucide-react";
import { type ReactNode, useState } from "react";
import { StatusBadge } from "@/components/domain/status";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import type { Run, RunListItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortDigest, since } from "@/lib/format";
import { runTitle, sourceWords } from "@/lib/run-title";
import { isFinal } from "@/lib/run-status";

function Cell({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col justify-center border-r border-line px-4 py-1.5 first:pl-5 last:border-r-0">
      <dt className="text-11 whitespace-nowrap text-ink-3">{label}</dt>
      <dd className="truncate text-12 whitespace-nowrap">{children}</dd>
    </div>
  );
}

export interface HeaderProps {
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
          {onPlanAgain && (isFinal(run.status) || run.status === "awaiting_approval" || run.status === "policy_blocked") ? (
            <Button icon={<RefreshCw size={14} />} blocked={planAgainBlocked} onClick={onPlanAgain}>Plan again</Button>
          ) : null}
          <Menu label="More" trigger={<Button aria-label="More" className="px-1.5"><Ellipsis size={16} /></Button>}>
            <MenuItem icon={<Download size={14} />} onSelect={onDownloadLog}>Download the log</MenuItem>
            <MenuItem icon={<Link2 size={14} />} onSelect={() => void navigator.clipboard.writeText(run.id)}>Copy the run&apos;s id</MenuItem>
          </Menu>
        </div>
      </div>
      <FactStrip run={run} child={child} />
    </>
  );
}

function FactStrip({ run, child }: { run: Run; child: Run | undefined }) {
  const now = useNow();
  const at = run.planned_at ?? run.created_at;
  return (
    <dl className="flex min-h-[46px] shrink-0 overflow-x-auto border-b border-line [scrollbar-width:none] max-sm:hidden" tabIndex={0} aria-label="Facts">
      <Cell label="Run">
        <span className="font-mono">{shortRunId(run.id)}</span> <span className="text-ink-3">{run.is_speculative ? "speculative " : ""}{run.kind}</span>
      </Cell>
      <Cell label="Workspace">
        <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} className="font-medium hover:underline">{run.workspace.name}</Link> <span className="text-ink-3">{run.workspace.tags.join(", ")}</span>
      </Cell>
      <Cell label="Requested by">
        {run.requested_by.name} <span className="text-ink-3">{sourceWords(run)}</span>
      </Cell>
      <Cell label="Stack spec">
        <Link to="/infra/terraform/stacks/$id" params={{ id: run.stack.name }} search={run.spec_version.number ? { b: String(run.spec_version.number) } : {}} className="hover:underline">
          <span className="font-medium">{run.stack.name} {run.spec_version.number ? `v${run.spec_version.number}` : shortDigest(run.spec_version.hash)}</span>
        </Link>
      </Cell>
      <Cell label="Configuration"><span className="font-mono">{shortDigest(run.configuration.digest)}</span></Cell>
      {run.engine ? <Cell label="Engine">{run.engine.kind === "tofu" ? "OpenTofu" : "Terraform"} <span className="text-ink-3">{run.engine.version}</span></Cell> : null}
      {child?.claimed_by?.name ? <Cell label="Runner"><span className="font-mono">{child.claimed_by.name}</span></Cell> : null}
      <Cell label={child ? "Apply started" : run.planned_at ? "Planned" : "Requested"}>
        {moment(child?.claimed_at ?? child?.created_at ?? at, now)} <span className="text-ink-3">{since(child?.claimed_at ?? child?.created_at ?? at, now)} ago</span>
      </Cell>
    </dl>
  );
}

/** Ids sort by time and are long; their end tells them apart. */
export function shortRunId(id: string): string {
  const [kind, rest = ""] = id.split("-", 2);
  return rest.length > 10 ? `${kind ?? ""}-…${rest.slice(-8)}` : id;
}
