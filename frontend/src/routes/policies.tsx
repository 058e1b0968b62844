import { useSearch } from "@tanstack/react-router";
import { PoliciesView } from "@/features/policies/components/policies-view";
import { usePlace } from "@/lib/crumbs";

export function PoliciesPage() {
  const search = useSearch({ from: "/shell/infra/terraform/policies" });
  usePlace([{ label: "Policies" }]);
  return <PoliciesView search={search} />;
}
