import { useSuspenseQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import { BackendCard } from "@/features/state/backend/backend-card";
import { CurrentOutputs, CurrentResources } from "@/features/state/components/current";
import { StateView } from "@/features/state/components/state-view";
import { WorkspaceView } from "@/features/workspaces/components/workspace-view";
import { workspaceQuery } from "@/lib/api/workspaces";
import { usePlace } from "@/lib/crumbs";

export function WorkspacePage() {
  const { id } = useParams({ from: "/shell/infra/terraform/workspaces/$id" });
  const { tab, ...search } = useSearch({ from: "/shell/infra/terraform/workspaces/$id" });
  const workspace = useSuspenseQuery(workspaceQuery(id)).data;
  usePlace([{ label: "Workspaces", to: "/infra/terraform" }, { label: workspace.name }]);
  return (
    <WorkspaceView
      id={id}
      tab={tab}
      parts={{
        state: <StateView workspace={workspace} search={search} />,
        outputs: <CurrentOutputs workspace={workspace} />,
        resources: <CurrentResources workspace={workspace} />,
        backend: <BackendCard wide workspace={workspace} />,
      }}
    />
  );
}
