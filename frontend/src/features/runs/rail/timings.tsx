import { SectionHead } from "@/components/ui/bits";
import type { Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { duration } from "@/lib/format";
import { phaseWord } from "@/lib/run-status";

/** Where the time went. */
export function Timings({ run }: { run: Run }) {
  const now = useNow();
  const queued = run.timings.queued_seconds;
  const parts = [...(queued === null ? [] : [{ phase: "queued", seconds: queued }]), ...run.timings.phases];
  if (parts.length === 0) return null;
  const worked = run.timings.phases.reduce((sum, each) => sum + each.seconds, 0);
  const waiting = run.status === "awaiting_approval" && run.planned_at ? Math.max(0, (now - Date.parse(run.planned_at)) / 1000) : null;
  const longest = Math.max(...parts.map((each) => each.seconds));
  return (
    <section aria-labelledby="rail-timings" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-timings" title="Timings" aside={`${duration(worked)} to ${run.kind === "apply" ? "apply" : "plan"}`} />
      <div className="my-1.5 flex h-1.5 gap-px" aria-hidden>
        {parts.map((part) => (
          <span key={part.phase} className={cx("min-w-px", part.seconds === longest ? "bg-ink-2" : "bg-mark-idle")} style={{ flexGrow: Math.max(part.seconds, 0.01) * 1000 }} />
        ))}
      </div>
      <dl className="grid grid-cols-2 gap-x-6 text-12 leading-[18px]">
        {parts.map((part) => (
          <div key={part.phase} className="flex justify-between gap-2">
            <dt className="truncate text-ink-2">{part.phase === "queued" ? "Queued" : phaseWord(part.phase)}</dt>
            <dd className="tnum shrink-0">{duration(part.seconds)}</dd>
          </div>
        ))}
        {waiting === null ? null : (
          <div className="flex justify-between gap-2"><dt className="text-ink-2">Waiting</dt><dd className="tnum shrink-0">{duration(waiting)}</dd></div>
        )}
      </dl>
    </section>
  );
}
