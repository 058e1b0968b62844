import { StacksView } from "@/features/stacks/components/list-view";
import { usePlace } from "@/lib/crumbs";

export function StacksPage() {
  usePlace([{ label: "Stacks" }]);
  return <StacksView />;
}
