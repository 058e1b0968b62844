import { useSearch } from "@tanstack/react-router";
import { OverviewView } from "@/features/overview/components/overview-view";
import { usePlace } from "@/lib/crumbs";

export function InfraPage() {
  const { tab, window } = useSearch({ from: "/shell/infra" });
  usePlace([{ label: "Infra" }]);
  return <OverviewView tab={tab} window={window} />;
}
