import { Check, Clock, TriangleAlert } from "lucide-react";
import { SectionHead } from "@/components/ui/bits";
import type { Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { isFinal } from "@/lib/run-status";
import { cx } from "@/lib/cx";
import { fingerprint as inFours, hourMinute, shortDigest, span } from "@/lib/format";

/** What the approvals are for, part by part: same or moved; and when the plan's age ends. */
export function Fingerprint({ run }: { run: Run }) {
  const now = useNow();
  const print = run.fingerprint;
  if (!print) return null;
  const ended = isFinal(run.status);
  const stale = !ended && (!print.is_current || print.parts.some((part) => part.moved));
  const ends = print.expires_at ? Date.parse(print.expires_at) - now : null;
  return (
    <section aria-labelledby="rail-fingerprint" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-fingerprint" title="Plan fingerprint" aside={<span className="font-mono text-12">{inFours(print.digest)}</span>} />
      <p className="text-12 text-ink-2">
        {ended ? "What the approvals of this run were for:" : stale ? <span className="text-wait">What this plan was made from has moved. Plan again.</span> : "Approvals count for this plan alone. When one of these moves, it is superseded, or they are void:"}
      </p>
      <ul className="mt-1">
        {print.parts.map((part) => (
          <li key={part.name} className={cx("flex h-[19px] items-center gap-2 text-12", part.moved && !ended && "text-wait")}>
            {part.moved && !ended ? <TriangleAlert size={13} className="shrink-0" aria-hidden /> : <Check size={13} className="shrink-0 text-create" aria-hidden />}
            <span className="min-w-0 truncate">{part.label}{part.moved && !ended ? ", moved" : ""}</span>
            <span className="ml-auto shrink-0 font-mono text-11 text-ink-3">{part.digest ? shortDigest(part.digest) : "none"}</span>
          </li>
        ))}
        {print.expires_at && ends !== null ? (
          <li className={cx("flex h-[19px] items-center gap-2 text-12", ends < 3_600_000 && "text-wait")}>
            <Clock size={13} className="shrink-0" aria-hidden />
            <span>Age <span className={ends < 3_600_000 ? "" : "text-ink-3"}>superseded at {hourMinute(print.expires_at, now)}</span></span>
            <span className="ml-auto">{ends > 0 ? `${span(ends)} left` : "ended"}</span>
          </li>
        ) : null}
      </ul>
    </section>
  );
}
