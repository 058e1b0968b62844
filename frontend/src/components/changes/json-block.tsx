import { useState } from "react";
import { UnifiedLine } from "@/components/domain/diff-lines";
import type { JsonDiff } from "@/lib/diff/json";
import { changedSpan, type DiffLine, foldContext, type Hunk } from "@/lib/diff/lines";

/** The changed words inside a changed line: a removed line directly followed by the one that takes its place. */
function wordSpan(lines: readonly DiffLine[], i: number): { start: number; end: number } | null {
  const line = lines[i];
  const pair = line?.kind === "remove" ? lines[i + 1] : line?.kind === "add" ? lines[i - 1] : undefined;
  if (!line || !pair || pair.kind === "same" || pair.kind === line.kind) return null;
  const [before, after] = (line.kind === "remove" ? [line.text, pair.text] : [pair.text, line.text]).map((text) => text.replace(/,$/, ""));
  const span = changedSpan(before ?? "", after ?? "");
  return span && { start: span.start, end: line.kind === "remove" ? span.endBefore : span.endAfter };
}

/** Takes away the indent that all lines in sight share: a change deep in a document starts at the margin. */
function dedent(hunks: readonly Hunk[]): Hunk[] {
  const widths = hunks.flatMap((hunk) => ("fold" in hunk ? [] : hunk.lines)).filter((line) => line.text.trim() !== "").map((line) => line.text.length - line.text.trimStart().length);
  const width = widths.length > 0 ? Math.min(...widths) : 0;
  return hunks.map((hunk) => ("fold" in hunk ? hunk : { lines: hunk.lines.map((line) => ({ ...line, text: line.text.slice(width) })) }));
}

/** A JSON attribute, compared by value: old and new line numbers, three lines of context, the rest folded. */
export function JsonBlock({ diff }: { diff: JsonDiff }) {
  const [whole, setWhole] = useState(false);
  if (diff.added + diff.removed === 0) return null;
  const hunks = dedent(whole ? [{ lines: diff.lines }] : foldContext(diff.lines));
  return (
    <div tabIndex={0} role="group" aria-label="JSON difference" className="mr-4 mb-1 ml-[60px] overflow-x-auto rounded-chip border border-line font-mono text-12 max-sm:mr-3 max-sm:ml-4">
      <div className="w-max min-w-full">
        {hunks.map((hunk, h) =>
          "fold" in hunk ? (
            <button key={h} type="button" onClick={() => setWhole(true)} className="inset-focus flex h-5 w-full items-center bg-canvas pl-[68px] font-sans text-11 text-ink-3 hover:text-ink">
              {hunk.fold} lines the same
            </button>
          ) : (
            hunk.lines.map((line, i) => <UnifiedLine key={`${h}-${i}`} line={line} span={wordSpan(hunk.lines, i)} />)
          ),
        )}
      </div>
    </div>
  );
}
