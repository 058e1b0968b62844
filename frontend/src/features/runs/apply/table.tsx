import { Check, CircleX, Clock } from "lucide-react";
import { Address } from "@/components/domain/address";
import { ACTION_TEXT } from "@/components/domain/counts";
import { Ring } from "@/components/domain/status";
import { actionLook, type ActionTone } from "@/lib/actions";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import type { Estimate, Run } from "@/lib/api/types";
import { duration, stopwatch } from "@/lib/format";
import { isFinal } from "@/lib/run-status";
import { type ApplyProgress, type ApplyRow, secondsLeft } from "./model";

const MARK: Record<ActionTone, string> = {
  create: "bg-mark-create",
  change: "bg-mark-change",
  replace: "bg-mark-replace",
  destroy: "bg-mark-destroy",
  read: "bg-mark-idle",
};

const STEPS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** Round ticks, four or so, over a span in seconds. */
export function ticks(seconds: number): { step: number; end: number } {
  const step = STEPS.find((each) => seconds / each <= 4.2) ?? 3600 * Math.ceil(seconds / 4 / 3600);
  return { step, end: Math.max(step, Math.ceil(seconds / step) * step) };
}

function RowIcon({ state }: { state: ApplyRow["state"] }) {
  if (state === "active") return <Ring className="text-change" />;
  if (state === "done") return <Check size={14} className="text-create" aria-hidden />;
  if (state === "errored") return <CircleX size={14} className="text-destroy" aria-hidden />;
  return <Clock size={14} className="text-ink-3" aria-hidden />;
}

/** The apply, one row a resource, on a common clock. Striped is in hand; the line is now. */
export function ApplyTable({ progress, live }: { progress: ApplyProgress; live: boolean }) {
  const now = useNow(live ? 1_000 : 60_000);
  const nowMs = progress.startedAt === null ? 0 : Math.max(0, now - progress.startedAt);
  const longest = Math.max(100, ...progress.rows.flatMap((row) => row.segments.map((each) => each.to ?? 0)), live ? nowMs : 0);
  const { step, end } = ticks(longest / 1000);
  const at = (ms: number) => `${Math.min(100, (ms / (end * 1000)) * 100)}%`;
  return (
    <div role="table" aria-label="Resources of the apply">
      <div role="row" className="sticky top-0 z-10 grid h-6 grid-cols-[44px_104px_minmax(0,1fr)_minmax(120px,30%)_64px] items-center border-b border-line bg-canvas pr-4 text-11 text-ink-3 max-sm:grid-cols-[44px_84px_minmax(0,1fr)_52px] max-sm:pr-3">
        <span role="columnheader"><span className="sr-only">Sign</span></span>
        <span role="columnheader">Now</span>
        <span role="columnheader">Resource</span>
        <span role="columnheader" className="relative h-full max-sm:hidden">
          <span className="sr-only">Clock</span>
          {Array.from({ length: Math.round(end / step) }, (_, i) => (
            <span key={i} aria-hidden className="tnum absolute top-1" style={{ left: `${((i * step) / end) * 100}%` }}>{step < 1 ? `${+(i * step).toFixed(2)} s` : stopwatch(i * step)}</span>
          ))}
        </span>
        <span role="columnheader" className="text-right">Elapsed</span>
      </div>
      {progress.rows.map((row) => {
        const look = actionLook(row.action);
        const began = row.segments[0]?.from;
        const elapsed = row.elapsedMs ?? (row.state === "active" && began !== undefined ? nowMs - began : null);
        return (
          <div key={row.address} role="row" className="grid h-[23px] grid-cols-[44px_104px_minmax(0,1fr)_minmax(120px,30%)_64px] items-center pr-4 text-12 hover:bg-hover max-sm:grid-cols-[44px_84px_minmax(0,1fr)_52px] max-sm:pr-3">
            <span role="cell" className={cx("pr-2 text-right font-mono font-semibold", ACTION_TEXT[look.tone])}>
              <span aria-hidden>{look.sign}</span><span className="sr-only">{look.word}</span>
            </span>
            <span role="cell" className={cx("flex items-center gap-1.5", row.state === "errored" ? "text-destroy" : row.state === "active" ? "text-ink" : "text-ink-2")}>
              <RowIcon state={row.state} />{row.word}
            </span>
            <span role="cell" className="flex min-w-0 overflow-hidden pr-3"><Address address={row.address} withModule /></span>
            <span role="cell" className="relative h-full overflow-hidden max-sm:hidden">
              {row.segments.map((segment, i) => {
                const to = segment.to ?? (live ? nowMs : longest);
                return (
                  <span
                    key={i}
                    aria-hidden
                    className={cx("absolute top-[8px] h-[7px] min-w-[3px]", row.state === "errored" && i === row.segments.length - 1 ? "bg-mark-destroy" : MARK[segment.tone], segment.to === null && "striped")}
                    style={{ left: at(segment.from), width: at(Math.max(0, to - segment.from)) }}
                  />
                );
              })}
              {live ? <span aria-hidden className="absolute inset-y-0 w-px bg-ink-2" style={{ left: at(nowMs) }} /> : null}
            </span>
            <span role="cell" className={cx("tnum text-right", elapsed === null && "text-ink-3")}>{elapsed === null ? (row.state === "waiting" && row.usualSeconds !== null ? <span title="What it took in the last applies">~{stopwatch(Math.ceil(row.usualSeconds))}</span> : "") : elapsed < 1000 ? "<1 s" : stopwatch(elapsed / 1000)}</span>
          </div>
        );
      })}
    </div>
  );
}

/** How far the apply is, in a count, a sentence and a bar with a part for each resource. */
export function ApplyStrip({ progress, child, estimate = null }: { progress: ApplyProgress; child: Run; estimate?: Estimate | null }) {
  const now = useNow(isFinal(child.status) ? 60_000 : 1_000);
  const left = isFinal(child.status) ? null : secondsLeft(progress, estimate, progress.startedAt === null ? 0 : Math.max(0, now - progress.startedAt));
  const total = progress.rows.length;
  const ordered = [...progress.rows].sort((a, b) => ["done", "errored", "active", "undone", "waiting"].indexOf(a.state) - ["done", "errored", "active", "undone", "waiting"].indexOf(b.state));
  return (
    <div className="flex shrink-0 items-stretch border-b border-line max-sm:flex-col">
      <div className="flex items-center gap-2 border-r border-line px-5 py-3 max-sm:border-r-0 max-sm:pb-0">
        <span className="text-22 font-semibold">{progress.done}</span>
        <span className="text-13 text-ink-2">of {total} done</span>
      </div>
      <div className="flex grow flex-col justify-center gap-1.5 px-5 py-2">
        <p className="text-12" role="status">
          {child.status === "applied" ? (
            <>Every change is done{child.timings.total_seconds === null ? "" : `, ${duration(child.timings.total_seconds)} from request to state`}. {child.state_version ? `State version ${child.state_version.number}, serial ${child.state_version.serial}, is stored.` : null}</>
          ) : (
            <>{progress.active} in progress, {progress.waiting} {isFinal(child.status) ? "not done" : "waiting"}, <span className={progress.failed > 0 ? "font-medium text-destroy" : undefined}>{progress.failed} failed</span>{left === null ? null : <span className="text-ink-2">{left < 1 ? ", nearly done" : `, about ${left < 60 ? `${Math.ceil(left)} s` : duration(Math.ceil(left))} left`}</span>}</>
          )}
        </p>
        <div
          role="progressbar"
          aria-label="Resources applied"
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={progress.done}
          className="flex h-[7px] gap-px overflow-hidden"
        >
          {ordered.length > 240 ? (
            <>
              <span className="bg-mark-create" style={{ width: `${(progress.done / total) * 100}%` }} />
              <span className="bg-mark-destroy" style={{ width: `${(progress.failed / total) * 100}%` }} />
              <span className="striped bg-mark-change" style={{ width: `${(progress.active / total) * 100}%` }} />
              <span className="grow bg-sunken" />
            </>
          ) : (
            ordered.map((row) => (
              <span key={row.address} className={cx("grow", row.state === "done" ? "bg-mark-create" : row.state === "errored" ? "bg-mark-destroy" : row.state === "active" ? "striped bg-mark-change" : "border border-line bg-sunken")} />
            ))
          )}
        </div>
      </div>
    </div>
  );
}
