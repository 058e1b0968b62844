import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { OutputValues } from "@/components/domain/output-values";
import { Skeleton } from "@/components/ui/bits";
import type { PlanView, Run } from "@/lib/api/types";
import { versionOutputsQuery } from "@/lib/api/workspaces";
import { OutputChanges } from "@/components/changes/output-changes";

/** After the apply, the values as they are; before it, what the plan would do to them. */
export function OutputsTab({ run, child, plan }: { run: Run; child: Run | undefined; plan: PlanView | undefined }) {
  const version = child?.state_version ?? run.state_version;
  const values = useQuery({ ...versionOutputsQuery(version?.id ?? ""), enabled: version !== null }).data;
  if (version) {
    return (
      <div className="min-h-0 grow overflow-auto">
        <p className="border-b border-line px-5 py-2 text-12 text-ink-2">
          As applied, in <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} search={{ tab: "state", version: version.id }} className="link">state version {version.number}</Link>, serial {version.serial}.
        </p>
        {values ? <OutputValues outputs={values} /> : <Skeleton rows={3} />}
      </div>
    );
  }
  return plan ? <OutputChanges outputs={plan.outputs} /> : null;
}
