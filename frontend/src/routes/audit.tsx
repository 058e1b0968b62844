import { useNavigate, useSearch } from "@tanstack/react-router";
import { AuditView } from "@/features/audit/components/audit-view";
import { usePlace } from "@/lib/crumbs";

export function AuditPage() {
  const search = useSearch({ from: "/shell/audit" });
  const navigate = useNavigate();
  usePlace([{ label: "Audit" }]);
  return <AuditView search={search} onSearch={(next) => void navigate({ to: "/audit", search: next, replace: true })} />;
}
