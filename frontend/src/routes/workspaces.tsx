import { useNavigate, useSearch } from "@tanstack/react-router";
import { WorkspacesView } from "@/features/workspaces/components/list-view";
import { usePlace } from "@/lib/crumbs";

export function WorkspacesPage() {
  const search = useSearch({ from: "/shell/infra/terraform" });
  const navigate = useNavigate();
  usePlace([{ label: "Workspaces" }]);
  return <WorkspacesView search={search} onSearch={(next) => void navigate({ to: "/infra/terraform", search: next, replace: true })} />;
}
