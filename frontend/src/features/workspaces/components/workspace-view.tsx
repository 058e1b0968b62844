import { useInfiniteQuery, useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Play, RefreshCw, TriangleAlert } from "lucide-react";
import { type ReactNode, useState } from "react";
import { StatusBadge } from "@/components/domain/status";
import { Tag } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { LinkTabs, type TabItem } from "@/components/ui/tabs";
import { outputsQuery, variablesQuery } from "@/features/workspaces/api/workspaces";
import { haltOver, haltsQuery } from "@/lib/api/halts";
import { leftWords, recoveryQuery } from "@/lib/api/recovery";
import { runsQuery } from "@/lib/api/runs";
import { useMay } from "@/lib/api/session";
import { currentStateQuery, workspaceQuery } from "@/lib/api/workspaces";
import { count } from "@/lib/format";
import { DestroyPopover } from "./destroy-popover";
import { PoliciesTab } from "./policies-tab";
import { RunsTab } from "./runs-tab";
import { SettingsTab } from "./settings-tab";
import { useRequestRun } from "./use-row-runs";
import { VariablesTab } from "./variables-tab";

/** What other features show in the workspace's tabs. */
interface WorkspaceParts {
  state: ReactNode;
  outputs: ReactNode;
  resources: ReactNode;
  /** A section of the settings. */
  backend: ReactNode;
}

export function WorkspaceView({ id, tab = "runs", parts }: { id: string; tab: string | undefined; parts: WorkspaceParts }) {
  const workspace = useSuspenseQuery(workspaceQuery(id)).data;
  const runs = useQuery(runsQuery({ workspace: workspace.id, limit: 50 })).data;
  const current = useQuery(currentStateQuery(workspace.id)).data ?? null;
  const variables = useQuery(variablesQuery(workspace.id)).data;
  const outputs = useQuery(outputsQuery(workspace.id)).data;
  const halt = haltOver(useQuery(haltsQuery).data?.active ?? [], workspace.id);
  const may = useMay();
  const run = useRequestRun();
  const [destroying, setDestroying] = useState(false);
  const stopped = halt ? `A halt stands: ${halt.reason}` : null;
  const left = useInfiniteQuery({ ...recoveryQuery(workspace.id, "open"), enabled: may("state:read") === null });
  const lost = left.data?.pages.flatMap((page) => page.items).length ?? 0;
  const latest = runs?.items.find((each) => each.kind !== "apply");

  const items: TabItem[] = [
    { id: "runs", label: "Runs" },
    { id: "state", label: "State", count: current ? count(current.number) : undefined },
    { id: "outputs", label: "Outputs", count: outputs && outputs.length > 0 ? outputs.length : undefined },
    { id: "resources", label: "Resources", count: current ? count(current.resource_count) : undefined },
    { id: "variables", label: "Variables", count: variables && variables.length > 0 ? variables.length : undefined },
    { id: "policies", label: "Policies" },
    { id: "settings", label: "Settings" },
  ];
  const body: Record<string, ReactNode> = {
    runs: <RunsTab runs={runs?.items} />,
    state: parts.state,
    outputs: parts.outputs,
    resources: parts.resources,
    variables: <VariablesTab workspace={workspace.id} variables={variables} />,
    policies: <PoliciesTab workspace={workspace} />,
    settings: <SettingsTab key={workspace.id} workspace={workspace} resources={current?.resource_count ?? 0} backend={parts.backend} />,
  };
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 flex-wrap items-center gap-2.5 px-5 py-2 max-sm:px-4">
        <h1 className="min-w-0 truncate text-16 font-semibold">{workspace.name}</h1>
        {workspace.tags.map((tag) => <Tag key={tag}>{tag}</Tag>)}
        {latest ? <StatusBadge status={latest.status} kind={latest.kind} phase={latest.phase} halted={latest.halted} /> : null}
        <span className="min-w-0 truncate text-12 text-ink-3">
          {workspace.stack.name} {workspace.head?.number ? `v${workspace.head.number}` : ""}{workspace.pinned_version_id ? ", pinned" : ""}{workspace.description ? `. ${workspace.description}` : ""}
        </span>
        <div className="ml-auto flex items-center gap-2">
          <Button icon={<RefreshCw size={14} />} blocked={stopped ?? may("runs:plan")} disabled={run.busy} onClick={() => run.request({ workspace: workspace.id, kind: "refresh" })}>Refresh</Button>
          <DestroyPopover
            name={workspace.name}
            resources={current?.resource_count ?? null}
            open={destroying}
            onOpenChange={(open) => { run.reset(); setDestroying(open); }}
            busy={run.busy}
            error={run.error}
            onDestroy={(why) => run.request({ workspace: workspace.id, kind: "destroy", ...(why ? { message: why } : {}) })}
            trigger={<Button look="danger-line" blocked={stopped ?? may("runs:destroy") ?? (current && current.resource_count > 0 ? null : "There is nothing to destroy")}>Destroy</Button>}
          />
          <Button look="primary" icon={<Play size={13} />} blocked={stopped ?? may("runs:plan")} disabled={run.busy} onClick={() => run.request({ workspace: workspace.id, kind: "plan" })}>Plan</Button>
        </div>
      </header>
      {workspace.requester_may_approve ? <p className="shrink-0 border-y border-line bg-wait-bg px-5 py-1 text-12 text-wait max-sm:px-4">Four-eyes is off in this workspace: whoever requests a plan may approve it.</p> : null}
      {lost > 0 ? (
        <p className="flex shrink-0 items-center gap-2 border-y border-line bg-replace-bg px-5 py-1 text-12 max-sm:px-4">
          <TriangleAlert size={13} className="shrink-0 text-replace" aria-hidden />
          <span><span className="font-medium">{leftWords(lost, left.hasNextPage)}.</span> <Link to="/infra/terraform/workspaces/$id" params={{ id }} search={{ tab: "state", left: "resources" }} className="link">Import them, or say what became of them</Link> before you plan again.</span>
        </p>
      ) : null}
      {run.error && !destroying ? <p role="alert" className="shrink-0 bg-destroy-bg px-5 py-1.5 text-12 text-destroy">{run.error}</p> : null}
      <div className="shrink-0 border-b border-line px-5 max-sm:px-4">
        <LinkTabs label="Parts of the workspace" items={items} current={tab} linkFor={(next) => ({ to: "/infra/terraform/workspaces/$id", params: { id }, search: next === "runs" ? {} : { tab: next } })} />
      </div>
      <div className="min-h-0 grow overflow-auto" tabIndex={-1}>{body[tab] ?? body.runs}</div>
    </main>
  );
}
