import { ChevronDown, ChevronRight, FoldVertical } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";
import { clockMs, duration, listed, plural } from "@/lib/format";
import { phaseWord } from "@/lib/run-status";
import type { LogLine, LogPhase } from "./store";

export function PhaseRow({ phase, open, onToggle }: { phase: LogPhase; open: boolean; onToggle: () => void }) {
  const Chevron = open ? ChevronDown : ChevronRight;
  const took = phase.endedAt ? (Date.parse(phase.endedAt) - Date.parse(phase.at)) / 1000 : null;
  const outcome = [phase.errors > 0 ? plural(phase.errors, "error") : null, phase.warnings > 0 ? plural(phase.warnings, "warning") : null].filter(Boolean).join(", ");
  return (
    <button type="button" aria-expanded={open} onClick={onToggle} className="inset-focus flex h-6 w-full items-center gap-4 border-b border-line bg-canvas pr-4 pl-4 text-left font-sans text-12">
      <Chevron size={13} className="text-ink-2" aria-hidden />
      <span className="font-semibold">{phaseWord(phase.name).toLowerCase()}</span>
      {took === null ? null : <span className="tnum text-ink-2">{duration(took)}</span>}
      <span className="text-ink-2">{plural(phase.lines, "line")}</span>
      <span className={cx("ml-auto", phase.errors > 0 ? "text-destroy" : "text-wait")}>{outcome}</span>
    </button>
  );
}

const TONE = { plain: "text-ink-2", strong: "text-ink", quiet: "text-ink-3", warning: "text-ink", error: "text-ink" } as const;
const GROUND = { plain: "", strong: "", quiet: "", warning: "bg-wait-bg", error: "bg-destroy-bg" } as const;

/** The text with its hits marked. */
function marked(text: string, needle: string, current: boolean): ReactNode {
  const wanted = needle.trim().toLowerCase();
  if (!wanted) return text;
  const lower = text.toLowerCase();
  const out: ReactNode[] = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    if (at > from) out.push(text.slice(from, at));
    out.push(<mark key={at} className={cx("rounded-chip text-ink", current ? "bg-mark-wait text-canvas" : "bg-wait-bg")}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  out.push(text.slice(from));
  return out;
}

const NUMBER = "w-[68px] shrink-0 pr-3 text-right text-11 leading-5 text-ink-3 select-none max-sm:w-11";

export function LineRow({ line, needle, current, onPick }: { line: LogLine; needle: string; current: boolean; onPick?: (() => void) | undefined }) {
  const severe = line.level === "error" ? "text-destroy" : line.level === "warning" ? "text-wait" : null;
  const lead = severe ? /^(.*?(?:Error|Warning):)/.exec(line.text)?.[1] : undefined;
  return (
    <div aria-current={current || undefined} className={cx("flex h-5 items-baseline pr-4 leading-5 whitespace-pre", GROUND[line.level], current && "!bg-selected")}>
      {onPick ? <button type="button" tabIndex={-1} title="Put this line into the address" aria-label={`Line ${line.n}`} onClick={onPick} className={cx(NUMBER, "hover:text-ink hover:underline")}>{line.n}</button> : <span className={NUMBER}>{line.n}</span>}
      <span className="w-[102px] shrink-0 text-11 leading-5 text-ink-3 select-none max-sm:hidden">{clockMs(line.at)}</span>
      <span className={TONE[line.level]}>
        {lead && !needle ? <><span className={cx("font-semibold", severe)}>{lead}</span>{line.text.slice(lead.length)}</> : marked(line.text, needle, current)}
      </span>
    </div>
  );
}

export function FoldRow({ lines, onOpen }: { lines: readonly LogLine[]; onOpen: () => void }) {
  const kinds = [...new Set(lines.map((line) => /Still \w+/.exec(line.text)?.[0] ?? "").filter(Boolean))];
  return (
    <button type="button" onClick={onOpen} className="inset-focus flex h-5 items-center gap-2 pl-[170px] font-sans text-11 text-ink-3 hover:text-ink max-sm:pl-11">
      <FoldVertical size={12} aria-hidden />
      {plural(lines.length, "line")} folded: {listed(kinds.map((kind) => `“${kind}…”`))}
    </button>
  );
}
