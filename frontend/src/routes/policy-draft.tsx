import { useSearch } from "@tanstack/react-router";
import { DraftView } from "@/features/policies/draft/draft-view";
import { usePlace } from "@/lib/crumbs";

export function PolicyDraftPage() {
  const search = useSearch({ from: "/shell/infra/terraform/policies/draft" });
  usePlace([{ label: "Policies", to: "/infra/terraform/policies" }, { label: "Draft" }]);
  return <DraftView search={search} />;
}
