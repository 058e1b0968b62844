import { ShieldCheck } from "lucide-react";
import { Empty } from "@/components/ui/bits";
import type { Run } from "@/lib/api/types";
import { duration, shortDigest } from "@/lib/format";
import { Overrides } from "@/features/runs/rail/overrides";
import { FailedCheck } from "@/features/runs/rail/policies";
import { isOverridden, standingOverride } from "@/lib/plan/blocking";
import { setName } from "@/lib/policy-words";

const STAGES: Record<string, string> = { plan: "Checked after the plan", apply: "Checked again before the apply" };

/** Every check, whole, by stage: what failed first. */
export function PoliciesTab({ run }: { run: Run }) {
  const checks = run.policy_checks;
  const standing = standingOverride(run);
  if (checks.length === 0) return <Empty title="No policy was checked.">No policy set is attached to this workspace. An admin can attach one under Policies of the workspace.</Empty>;
  const stages = [...new Set(checks.map((check) => check.stage))];
  return (
    <div className="min-h-0 grow overflow-auto">
      <div className="max-w-3xl px-5 pb-3 empty:hidden"><Overrides run={run} /></div>
      {stages.map((stage) => {
        const of = checks.filter((check) => check.stage === stage);
        const failed = of.filter((check) => check.outcome !== "passed" || check.findings.length > 0);
        return (
          <section key={stage} aria-label={STAGES[stage] ?? stage}>
            <h2 className="flex h-7 items-center border-b border-line bg-canvas px-5 text-12 font-medium">{STAGES[stage] ?? stage}</h2>
            {failed.length > 0 ? <ul className="flex max-w-3xl flex-col gap-3 px-5 py-3">{failed.map((check) => <FailedCheck key={check.id} check={check} overridden={isOverridden(check, standing)} />)}</ul> : null}
            <ul>
              {of.filter((check) => !failed.includes(check)).map((check) => (
                <li key={check.id} className="flex h-8 items-center gap-3 border-b border-line px-5 text-12">
                  <ShieldCheck size={14} className="shrink-0 text-create" aria-hidden />
                  <span className="font-medium">passed</span>
                  <span className="truncate font-mono">{setName(check.policy_set_uri)}</span>
                  <span className="text-ink-3">{check.enforcement_level}</span>
                  <span className="ml-auto shrink-0 font-mono text-11 text-ink-3">{shortDigest(check.bundle_digest)}</span>
                  <span className="tnum w-16 shrink-0 text-right text-ink-3">{duration(check.duration_ms / 1000)}</span>
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </div>
  );
}
