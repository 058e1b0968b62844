import type { Override, PolicyCheck, Run } from "@/lib/api/types";

/** The last stage that was checked stands for the plan. */
export function latestChecks(checks: readonly PolicyCheck[]): PolicyCheck[] {
  const stage = checks.some((check) => check.stage === "apply") ? "apply" : "plan";
  return checks.filter((check) => check.stage === stage);
}

/** The checks that keep a plan from the gate. */
export function blocking(run: Pick<Run, "policy_checks">): PolicyCheck[] {
  return latestChecks(run.policy_checks).filter((check) => check.outcome !== "passed" && check.enforcement_level !== "advisory");
}

/** The override that stands for the plan as it is, if there is one. */
export function standingOverride(run: Pick<Run, "overrides">): Override | null {
  return run.overrides.findLast((each) => each.ended_at === null) ?? null;
}

/** Whether a check that failed was overridden, by the override that stands. */
export function isOverridden(check: PolicyCheck, override: Override | null): boolean {
  return override !== null && check.outcome === "failed" && check.enforcement_level === "soft-mandatory" && override.policy_set_uris.includes(check.policy_set_uri);
}
