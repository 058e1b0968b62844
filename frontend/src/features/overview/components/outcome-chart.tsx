import { bucketName, type Bucket, countOf, endedIn, OUTCOMES, roundUp, totals } from "@/features/overview/outcomes";
import { cx } from "@/lib/cx";
import { count } from "@/lib/format";

/** A column for each hour or day; which and how many are written below, and beside each column for whoever points at it. */
export function OutcomeChart({ buckets, bucketSeconds, height = 124 }: { buckets: readonly Bucket[]; bucketSeconds: number; height?: number }) {
  const top = roundUp(Math.max(1, ...buckets.map(endedIn)));
  const each = Math.max(1, Math.ceil(buckets.length / 6));
  const sums = totals(buckets);
  return (
    <figure className="m-0">
      <div className="flex" role="img" aria-label={sums.length === 0 ? "No run ended" : `Runs that ended: ${sums.map(({ outcome, runs }) => `${runs} ${outcome.word}`).join(", ")}`}>
        <div className="tnum relative w-9 shrink-0 text-11 text-ink-3" style={{ height }}>
          {(top > 1 ? [1, 0.5, 0] : [1, 0]).map((part) => <span key={part} className="absolute right-2 -translate-y-1/2" style={{ top: `${(1 - part) * 100}%` }}>{count(top * part)}</span>)}
        </div>
        <div className="relative min-w-0 grow">
          <div className="relative flex items-end gap-[2px] border-b border-line-2" style={{ height }}>
            {[0, 50].map((at) => <span key={at} className="absolute inset-x-0 h-px bg-line" style={{ top: `${at}%` }} />)}
            {buckets.map((bucket) => (
              <span key={bucket.start} className="relative flex h-full min-w-0 grow flex-col-reverse gap-px" title={`${bucketName(bucket.start, bucketSeconds)}: ${OUTCOMES.filter((outcome) => countOf(bucket.outcomes, outcome) > 0).map((outcome) => `${countOf(bucket.outcomes, outcome)} ${outcome.word}`).join(", ") || "none"}`}>
                {OUTCOMES.map((outcome) => {
                  const runs = countOf(bucket.outcomes, outcome);
                  return runs > 0 ? <span key={outcome.word} className={cx("block min-h-[2px] shrink-0", outcome.mark)} style={{ height: `calc(${(runs / top) * 100}% - 1px)` }} /> : null;
                })}
              </span>
            ))}
          </div>
          <div className="tnum flex gap-[2px] pt-1 text-11 text-ink-3">
            {buckets.map((bucket, i) => <span key={bucket.start} className="relative h-4 min-w-0 grow">{(buckets.length - 1 - i) % each === 0 ? <span className={cx("absolute whitespace-nowrap", i === buckets.length - 1 ? "right-0" : "left-1/2 -translate-x-1/2")}>{bucketName(bucket.start, bucketSeconds)}</span> : null}</span>)}
          </div>
        </div>
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-12 text-ink-2">
        {sums.map(({ outcome, runs }) => <span key={outcome.word} className="inline-flex items-center gap-1.5"><span className={cx("size-2", outcome.mark)} aria-hidden />{outcome.word} <b className="font-semibold text-ink">{count(runs)}</b></span>)}
        {sums.length === 0 ? "No run ended in this time." : null}
      </figcaption>
    </figure>
  );
}
