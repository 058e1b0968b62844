import { useParams, useSearch } from "@tanstack/react-router";
import { StackView } from "@/features/stacks/components/stack-view";
import { usePlace } from "@/lib/crumbs";

export function StackPage() {
  const { id } = useParams({ from: "/shell/infra/terraform/stacks/$id" });
  const search = useSearch({ from: "/shell/infra/terraform/stacks/$id" });
  usePlace([{ label: "Stacks", to: "/infra/terraform/stacks" }, { label: id }]);
  return <StackView id={id} search={search} />;
}
