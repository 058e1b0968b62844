import { useParams, useSearch, Navigate } from "@tanstack/react-router";
import { RunView } from "@/features/runs/components/run-view";
import { useRunData } from "@/features/runs/hooks/use-run-data";
import { usePlace } from "@/lib/crumbs";
import { shortId } from "@/lib/format";

export function RunPage() {
  const { id } = useParams({ from: "/shell/infra/terraform/runs/$id" });
  const { tab, decide, line } = useSearch({ from: "/shell/infra/terraform/runs/$id" });
  const data = useRunData(id);
  const { run } = data;
  usePlace([
    { label: "Workspaces", to: "/infra/terraform" },
    { label: run.workspace.name, to: `/infra/terraform/workspaces/${run.workspace.id}` },
    { label: shortId(run.id), code: true },
  ]);
  // An apply is part of the run whose plan it applies, and is shown there.
  if (run.parent_run_id) return <Navigate to="/infra/terraform/runs/$id" params={{ id: run.parent_run_id }} search={{ tab: tab === "log" ? "apply" : tab ?? "apply", ...(line ? { line } : {}) }} replace />;
  return <RunView key={run.id} data={data} tab={tab} decide={decide} line={line} />;
}
