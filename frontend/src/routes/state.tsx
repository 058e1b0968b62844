import { Navigate, useParams } from "@tanstack/react-router";
import { StateOverview } from "@/features/state/overview/overview-view";
import { usePlace } from "@/lib/crumbs";

export function StatePage() {
  usePlace([{ label: "State" }]);
  return <StateOverview />;
}

/** A workspace's state has its place in the workspace; this address leads there. */
export function WorkspaceStatePage() {
  const { workspace } = useParams({ from: "/shell/infra/terraform/state/$workspace" });
  return <Navigate to="/infra/terraform/workspaces/$id" params={{ id: workspace }} search={{ tab: "state" }} replace />;
}
