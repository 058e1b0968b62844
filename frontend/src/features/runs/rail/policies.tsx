import { ShieldAlert, ShieldCheck, ShieldX, TriangleAlert } from "lucide-react";
import { SectionHead, Tag } from "@/components/ui/bits";
import type { PolicyCheck } from "@/lib/api/types";
import { splitAddress } from "@/lib/address";
import { cx } from "@/lib/cx";
import { duration, listed } from "@/lib/format";

/** `policies/data-safety` of a URI, whatever stands before it. */
export function policySetName(uri: string): string {
  return uri.replace(/^[a-z+]+:\/\//, "").replace(/^policies\//, "").replace(/\/$/, "");
}

/** One check that did not pass, whole: rule, message, remedy. */
export function FailedCheck({ check }: { check: PolicyCheck }) {
  const advisory = check.enforcement_level === "advisory";
  const Icon = advisory ? TriangleAlert : check.outcome === "error" ? ShieldAlert : ShieldX;
  return (
    <li className={cx("border-l-2 py-0.5 pl-2.5", advisory ? "border-mark-wait" : "border-mark-destroy")}>
      <p className="flex items-center gap-2 text-12 font-medium">
        <Icon size={14} className={cx("shrink-0", advisory ? "text-wait" : "text-destroy")} aria-hidden />
        {check.enforcement_level} {check.outcome === "error" ? "not evaluated" : "failed"}
        <span className="ml-auto"><Tag tone={advisory ? "wait" : "destroy"}>{advisory ? "does not block" : "blocks"}</Tag></span>
      </p>
      {check.findings.every((finding) => finding.rule.startsWith(policySetName(check.policy_set_uri))) && check.findings.length > 0 ? null : <p className="truncate font-mono text-11 text-ink-2" title={check.policy_set_uri}>{policySetName(check.policy_set_uri)}</p>}
      {check.error ? <p className="mt-1 text-12">{check.error}</p> : null}
      {check.findings.map((finding, i) => (
        <div key={i} className="mt-1 text-12">
          <p className="truncate font-mono text-11 text-ink-2">{finding.rule}</p>
          <p>{finding.message}</p>
          {finding.address && !finding.message.includes(splitAddress(finding.address).name) ? <p className="truncate font-mono text-11 text-ink-2" title={finding.address}>{finding.address}</p> : null}
          {finding.remedy ? <p className="text-ink-2"><span className="text-ink-3">Remedy</span> {finding.remedy}</p> : null}
        </div>
      ))}
    </li>
  );
}

export function passedWords(passed: readonly PolicyCheck[]): string {
  const levels = ["hard-mandatory", "soft-mandatory", "advisory"];
  return listed(levels.map((level) => ({ level, n: passed.filter((check) => check.enforcement_level === level).length })).filter((each) => each.n > 0).map((each) => `${each.n} ${each.level}`));
}

/** The last stage that was checked stands for the plan. */
export function latestChecks(checks: readonly PolicyCheck[]): PolicyCheck[] {
  const stage = checks.some((check) => check.stage === "apply") ? "apply" : "plan";
  return checks.filter((check) => check.stage === stage);
}

export function Policies({ checks, verdict }: { checks: readonly PolicyCheck[]; verdict: string | null }) {
  const latest = latestChecks(checks);
  const failed = latest.filter((check) => check.outcome !== "passed" || check.findings.length > 0);
  const passed = latest.filter((check) => !failed.includes(check));
  const seconds = latest.reduce((sum, check) => sum + check.duration_ms, 0) / 1000;
  if (latest.length === 0 && verdict === null) return null;
  return (
    <section id="policies" aria-labelledby="rail-policies" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-policies" title="Policies" aside={latest.length > 0 ? `${latest[0]?.policy_engine ?? ""}, ${duration(seconds)}` : null} />
      {failed.length > 0 ? <ul className="mt-1 flex flex-col gap-2.5">{failed.map((check) => <FailedCheck key={check.id} check={check} />)}</ul> : null}
      {passed.length > 0 ? (
        <p className="mt-1.5 flex items-center gap-2 text-12">
          <ShieldCheck size={14} className="shrink-0 text-create" aria-hidden />
          <span><span className="font-medium">{passed.length} passed</span> <span className="text-ink-3">{passedWords(passed)}</span></span>
        </p>
      ) : null}
      {latest.length === 0 ? <p className="mt-1 text-12 text-ink-3">No policy set is attached to this workspace.</p> : null}
    </section>
  );
}
