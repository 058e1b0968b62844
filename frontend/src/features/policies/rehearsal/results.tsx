import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ChevronRight, CircleCheck, CircleSlash, ShieldX, TriangleAlert } from "lucide-react";
import { useRef, useState } from "react";
import type { RehearsalResult } from "@/lib/api/types";
import { FindingText } from "@/features/policies/components/findings";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment, plural, shortId } from "@/lib/format";
import { EFFECT_WORDS } from "./order";

const LOOK: Record<RehearsalResult["effect"], { icon: typeof ShieldX; tone: string }> = {
  newly_blocks: { icon: ShieldX, tone: "text-destroy" },
  blocks: { icon: ShieldX, tone: "text-ink-2" },
  warns: { icon: TriangleAlert, tone: "text-wait" },
  passes: { icon: CircleCheck, tone: "text-create" },
  removed: { icon: CircleSlash, tone: "text-ink-3" },
};

function said(result: RehearsalResult): string {
  if (result.error) return result.error;
  const first = result.findings[0];
  if (!first) return "";
  return result.findings.length === 1 ? first.message : `${first.message} and ${plural(result.findings.length - 1, "other finding")}`;
}

/** A row a plan; a press unfolds what the policy set says of it. */
export function Results({ results }: { results: readonly RehearsalResult[] }) {
  const now = useNow();
  const scroller = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  // Measured, since a row may be unfolded.
  const virtual = useVirtualizer({ count: results.length, getScrollElement: () => scroller.current, estimateSize: () => 34, overscan: 12, initialRect: { width: 800, height: 800 } });
  const toggle = (id: string) => setOpen((before) => new Set(before.has(id) ? [...before].filter((each) => each !== id) : [...before, id]));
  return (
    <div ref={scroller} tabIndex={0} role="group" aria-label="Plans, what would newly be blocked first" className="inset-focus min-h-0 grow overflow-auto">
      <ul className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const result = results[item.index];
          if (!result) return null;
          const { icon: Icon, tone } = LOOK[result.effect];
          const more = result.findings.length > 0 || result.error !== null;
          const unfolded = open.has(result.run_id) && more;
          return (
            <li key={result.run_id} ref={virtual.measureElement} data-index={item.index} className="absolute inset-x-0 border-b border-line" style={{ transform: `translateY(${item.start}px)` }}>
              <div className="flex h-[33px] items-center gap-2.5 pr-4 pl-2 hover:bg-hover">
                <button type="button" aria-expanded={more ? unfolded : undefined} disabled={!more} onClick={() => toggle(result.run_id)} className="flex h-full min-w-0 grow items-center gap-2.5 text-left">
                  <span className="flex w-3.5 shrink-0 text-ink-3">{more ? unfolded ? <ChevronDown size={14} /> : <ChevronRight size={14} /> : null}</span>
                  <span className={cx("flex w-36 shrink-0 items-center gap-1.5 text-12 font-medium", tone)}><Icon size={14} className="shrink-0" aria-hidden />{EFFECT_WORDS[result.effect]}</span>
                  <span className="w-28 shrink-0 truncate text-12 font-medium max-sm:w-20">{result.workspace.name}</span>
                  <span className="min-w-0 truncate text-12 text-ink-2 max-sm:hidden">{said(result)}</span>
                </button>
                <Link to="/infra/terraform/runs/$id" params={{ id: result.run_id }} title={result.run_id} className="shrink-0 font-mono text-11 text-ink-2 hover:underline">{shortId(result.run_id)}</Link>
                <time dateTime={result.planned_at} className="tnum w-[84px] shrink-0 text-right text-11 text-ink-3 max-sm:hidden">{moment(result.planned_at, now)}</time>
              </div>
              {unfolded ? (
                <div className="flex flex-col gap-2 pr-4 pb-2.5 pl-[34px]">
                  {result.error ? <p className="text-12 text-destroy">Can&apos;t be evaluated: {result.error}</p> : null}
                  {result.findings.map((finding, i) => <FindingText key={i} finding={finding} />)}
                </div>
              ) : null}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
