import { bucketName, type Bucket, roundSpan } from "@/features/overview/outcomes";
import { span } from "@/lib/format";

const HEIGHT = 124;

/** The time from request to state of runs that were applied: the median, and what nine of ten stayed below. */
export function LeadChart({ buckets, bucketSeconds }: { buckets: readonly Bucket[]; bucketSeconds: number }) {
  const known = buckets.flatMap((bucket, i) => (bucket.lead_p50_seconds === null || bucket.lead_p90_seconds === null ? [] : [{ i, p50: bucket.lead_p50_seconds, p90: bucket.lead_p90_seconds }]));
  const last = known.at(-1);
  if (!last) return <p className="text-12 text-ink-2">No run was applied in this time.</p>;
  const top = roundSpan(Math.max(...known.map((each) => each.p90)));
  const x = (i: number) => (buckets.length === 1 ? 50 : ((i + 0.5) / buckets.length) * 100);
  const y = (seconds: number) => (1 - seconds / top) * HEIGHT;
  const line = (key: "p50" | "p90") => known.map((each) => `${x(each.i)},${y(each[key])}`).join(" ");
  const words = (seconds: number) => (seconds < 1 ? "<1 s" : span(seconds * 1000));
  const labels = [{ key: "p90", at: last.p90, strong: false }, { key: "p50", at: last.p50, strong: true }] as const;
  const gap = Math.max(0, 18 - (y(last.p50) - y(last.p90))) / 2;
  const each = Math.max(1, Math.ceil(buckets.length / 5));
  return (
    <figure className="m-0 flex" role="img" aria-label={`Lead time, the newest: median ${words(last.p50)}, nine of ten below ${words(last.p90)}`}>
      <div className="tnum relative w-12 shrink-0 text-11 text-ink-3" style={{ height: HEIGHT }}>
        {[1, 0.5, 0].map((part) => <span key={part} className="absolute right-2 -translate-y-1/2 whitespace-nowrap" style={{ top: `${(1 - part) * 100}%` }}>{part === 0 ? "0" : words(top * part)}</span>)}
      </div>
      <div className="min-w-0 grow">
        <div className="relative border-b border-line-2" style={{ height: HEIGHT }}>
          {[0, 50].map((at) => <span key={at} className="absolute inset-x-0 h-px bg-line" style={{ top: `${at}%` }} />)}
          <svg className="absolute inset-0 size-full overflow-visible" viewBox={`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden>
            <polyline points={line("p90")} fill="none" stroke="var(--ink-3)" strokeWidth="1.2" strokeDasharray="3 3" vectorEffect="non-scaling-stroke" />
            <polyline points={line("p50")} fill="none" stroke="var(--ink)" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
          </svg>
          {known.map(({ i, p50, p90 }) => [p50, p90].map((seconds, n) => <span key={`${i} ${n}`} className={n === 0 ? "absolute size-[5px] -translate-1/2 rounded-full bg-ink" : "absolute size-[5px] -translate-1/2 rounded-full bg-ink-3"} style={{ left: `${x(i)}%`, top: y(seconds) }} title={`${bucketName(buckets[i]?.start ?? "", bucketSeconds)}: ${n === 0 ? "median" : "nine of ten below"} ${words(seconds)}`} />))}
        </div>
        <div className="tnum relative h-5 pt-1 text-11 text-ink-3">
          {buckets.map((bucket, i) => ((buckets.length - 1 - i) % each === 0 ? <span key={bucket.start} className="absolute -translate-x-1/2 whitespace-nowrap" style={{ left: `${x(i)}%` }}>{bucketName(bucket.start, bucketSeconds)}</span> : null))}
        </div>
      </div>
      <div className="tnum relative w-24 shrink-0 text-12" style={{ height: HEIGHT }}>
        {labels.map(({ key, at, strong }) => <span key={key} className={strong ? "absolute left-2 -translate-y-1/2 font-semibold whitespace-nowrap" : "absolute left-2 -translate-y-1/2 whitespace-nowrap text-ink-2"} style={{ top: y(at) + (strong ? gap : -gap) }}>{key} {words(at)}</span>)}
      </div>
    </figure>
  );
}
