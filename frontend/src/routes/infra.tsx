import { OverviewView } from "@/features/overview/components/overview-view";
import { usePlace } from "@/lib/crumbs";

export function InfraPage() {
  usePlace([{ label: "Infra" }]);
  return <OverviewView />;
}
