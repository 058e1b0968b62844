/** Filled and empty dots for “how many of how many”; the words stand beside them. */
export function Pips({ have, need }: { have: number; need: number }) {
  return (
    <span className="inline-flex gap-[3px]" aria-hidden>
      {Array.from({ length: Math.max(need, have) }, (_, i) => (
        <span key={i} className={i < have ? "size-2 rounded-full bg-ink" : "size-2 rounded-full border border-ctl"} />
      ))}
    </span>
  );
}
