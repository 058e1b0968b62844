import { ShieldAlert, ShieldCheck, ShieldOff, ShieldX, TriangleAlert } from "lucide-react";
import { SectionHead, Tag } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import type { PolicyCheck, Run } from "@/lib/api/types";
import { splitAddress } from "@/lib/address";
import { cx } from "@/lib/cx";
import { duration, listed } from "@/lib/format";
import { isOverridden, latestChecks, standingOverride } from "@/lib/plan/blocking";
import { setName } from "@/lib/policy-words";
import { Overrides } from "./overrides";

/** One check that did not pass, whole: rule, message, remedy. */
export function FailedCheck({ check, overridden = false }: { check: PolicyCheck; overridden?: boolean }) {
  const advisory = check.enforcement_level === "advisory";
  const Icon = advisory ? TriangleAlert : check.outcome === "error" ? ShieldAlert : ShieldX;
  return (
    <li className={cx("border-l-2 py-0.5 pl-2.5", advisory ? "border-mark-wait" : "border-mark-destroy")}>
      <p className="flex items-center gap-2 text-12 font-medium">
        <Icon size={14} className={cx("shrink-0", advisory ? "text-wait" : "text-destroy")} aria-hidden />
        {check.enforcement_level} {check.outcome === "error" ? "not evaluated" : "failed"}
        <span className="ml-auto"><Tag tone={advisory || overridden ? "wait" : "destroy"}>{advisory ? "does not block" : overridden ? "overridden" : "blocks"}</Tag></span>
      </p>
      {check.findings.every((finding) => finding.rule.startsWith(setName(check.policy_set_uri))) && check.findings.length > 0 ? null : <p className="truncate font-mono text-11 text-ink-2" title={check.policy_set_uri}>{setName(check.policy_set_uri)}</p>}
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

function passedWords(passed: readonly PolicyCheck[]): string {
  const levels = ["hard-mandatory", "soft-mandatory", "advisory"];
  return listed(levels.map((level) => ({ level, n: passed.filter((check) => check.enforcement_level === level).length })).filter((each) => each.n > 0).map((each) => `${each.n} ${each.level}`));
}

/** What the policies said of the plan, and who let it go on all the same. */
export function Policies({ run, onOverride }: { run: Run; onOverride: (() => void) | null }) {
  const latest = latestChecks(run.policy_checks);
  const standing = standingOverride(run);
  const failed = latest.filter((check) => check.outcome !== "passed" || check.findings.length > 0);
  const passed = latest.filter((check) => !failed.includes(check));
  const seconds = latest.reduce((sum, check) => sum + check.duration_ms, 0) / 1000;
  if (latest.length === 0 && run.verdict === null && run.overrides.length === 0) return null;
  return (
    <section id="policies" aria-labelledby="rail-policies" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-policies" title="Policies" aside={latest.length > 0 ? `${latest[0]?.policy_engine ?? ""}, ${duration(seconds)}` : null} />
      {failed.length > 0 ? <ul className="mt-1 flex flex-col gap-2.5">{failed.map((check) => <FailedCheck key={check.id} check={check} overridden={isOverridden(check, standing)} />)}</ul> : null}
      {passed.length > 0 ? (
        <p className="mt-1.5 flex items-center gap-2 text-12">
          <ShieldCheck size={14} className="shrink-0 text-create" aria-hidden />
          <span><span className="font-medium">{passed.length} passed</span> <span className="text-ink-3">{passedWords(passed)}</span></span>
        </p>
      ) : null}
      <Overrides run={run} />
      {onOverride ? <Button size={24} className="mt-2" icon={<ShieldOff size={13} />} onClick={onOverride}>Override</Button> : null}
      {latest.length === 0 ? <p className="mt-1 text-12 text-ink-3">No policy set is attached to this workspace.</p> : null}
    </section>
  );
}
