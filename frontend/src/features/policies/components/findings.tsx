import { TriangleAlert, ShieldX } from "lucide-react";
import { splitAddress } from "@/lib/address";
import type { PolicyCheck } from "@/lib/api/types";
import { cx } from "@/lib/cx";

type Finding = PolicyCheck["findings"][number];

/** One thing that a policy says: rule, message, address, remedy. */
export function FindingText({ finding }: { finding: Finding }) {
  const deny = finding.kind === "deny";
  const Icon = deny ? ShieldX : TriangleAlert;
  return (
    <div className={cx("border-l-2 py-0.5 pl-2.5 text-12", deny ? "border-mark-destroy" : "border-mark-wait")}>
      <p className="flex items-center gap-1.5">
        <Icon size={13} className={cx("shrink-0", deny ? "text-destroy" : "text-wait")} aria-hidden />
        <span className="font-medium">{finding.kind}</span>
        <span className="truncate font-mono text-11 text-ink-2">{finding.rule}</span>
        {finding.severity ? <span className="ml-auto shrink-0 text-ink-3">{finding.severity}</span> : null}
      </p>
      <p>{finding.message}</p>
      {finding.address && !finding.message.includes(splitAddress(finding.address).name) ? <p className="truncate font-mono text-11 text-ink-2" title={finding.address}>{finding.address}</p> : null}
      {finding.remedy ? <p className="text-ink-2"><span className="text-ink-3">Remedy</span> {finding.remedy}</p> : null}
    </div>
  );
}
