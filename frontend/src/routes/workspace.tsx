import { useSuspenseQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import { WorkspaceView } from "@/features/workspaces/components/workspace-view";
import { workspaceQuery } from "@/lib/api/workspaces";
import { usePlace } from "@/lib/crumbs";

export function WorkspacePage() {
  const { id } = useParams({ from: "/shell/infra/terraform/workspaces/$id" });
  const { tab, version } = useSearch({ from: "/shell/infra/terraform/workspaces/$id" });
  const workspace = useSuspenseQuery(workspaceQuery(id)).data;
  usePlace([{ label: "Workspaces", to: "/infra/terraform" }, { label: workspace.name }]);
  return <WorkspaceView id={id} tab={tab} version={version} />;
}
