import { cx } from "@/lib/cx";
import { changedSpan, type DiffLine } from "@/lib/diff/lines";

interface Span {
  start: number;
  end: number;
}

/** The changed words of a line, when its counterpart stands at the same place in the block of changes. */
function spans(before: DiffLine | undefined, after: DiffLine | undefined): { before: Span | null; after: Span | null } {
  const span = before?.kind === "remove" && after?.kind === "add" ? changedSpan(before.text.replace(/,$/, ""), after.text.replace(/,$/, "")) : null;
  return span ? { before: { start: span.start, end: span.endBefore }, after: { start: span.start, end: span.endAfter } } : { before: null, after: null };
}

function LineText({ line, span }: { line: DiffLine; span: Span | null }) {
  return (
    <span className="pr-3 whitespace-pre">
      {line.kind === "same" ? null : <span className="sr-only">{line.kind === "add" ? "added: " : "removed: "}</span>}
      {span ? (
        <>
          {line.text.slice(0, span.start)}
          <mark className={cx("rounded-chip text-ink", line.kind === "add" ? "bg-word-add" : "bg-word-del")}>{line.text.slice(span.start, span.end)}</mark>
          {line.text.slice(span.end)}
        </>
      ) : line.text}
    </span>
  );
}

export function UnifiedLine({ line, span }: { line: DiffLine; span: Span | null }) {
  const sign = line.kind === "add" ? "+" : line.kind === "remove" ? "−" : "";
  return (
    <div className={cx("flex h-5 items-center", line.kind === "add" && "bg-create-bg", line.kind === "remove" && "bg-destroy-bg")}>
      <span className="tnum w-8 shrink-0 pr-2 text-right text-11 text-ink-3 select-none" aria-hidden>{line.before ?? ""}</span>
      <span className="tnum w-8 shrink-0 pr-2 text-right text-11 text-ink-3 select-none" aria-hidden>{line.after ?? ""}</span>
      <span className={cx("w-4 shrink-0 text-center", line.kind === "add" ? "text-create" : "text-destroy")} aria-hidden>{sign}</span>
      <LineText line={line} span={span} />
    </div>
  );
}

/** Pairs the removed and the added lines of each block of changes. */
function pairLines(lines: readonly DiffLine[]): { left: DiffLine | undefined; right: DiffLine | undefined }[] {
  const out: { left: DiffLine | undefined; right: DiffLine | undefined }[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i += 1) out.push({ left: removed[i], right: added[i] });
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === "remove") removed.push(line);
    else if (line.kind === "add") added.push(line);
    else {
      flush();
      out.push({ left: line, right: line });
    }
  }
  flush();
  return out;
}

export function Unified({ lines }: { lines: readonly DiffLine[] }) {
  const rows = pairLines(lines);
  const span = new Map<DiffLine, Span | null>();
  for (const { left, right } of rows) {
    const both = spans(left, right);
    if (left) span.set(left, both.before);
    if (right && right !== left) span.set(right, both.after);
  }
  return <div className="w-max min-w-full py-1 font-mono text-12">{lines.map((line, i) => <UnifiedLine key={i} line={line} span={line.kind === "same" ? null : (span.get(line) ?? null)} />)}</div>;
}

function Half({ line, n, span }: { line: DiffLine | undefined; n: number | null | undefined; span: Span | null }) {
  if (!line) return <div className="hatched h-5 border-r border-line last:border-r-0" />;
  const sign = line.kind === "add" ? "+" : line.kind === "remove" ? "−" : "";
  return (
    <div className={cx("flex h-5 min-w-0 items-center overflow-hidden border-r border-line last:border-r-0", line.kind === "add" && "bg-create-bg", line.kind === "remove" && "bg-destroy-bg")}>
      <span className="tnum w-9 shrink-0 pr-2 text-right text-11 text-ink-3 select-none" aria-hidden>{n ?? ""}</span>
      <span className={cx("w-4 shrink-0 text-center", line.kind === "add" ? "text-create" : "text-destroy")} aria-hidden>{sign}</span>
      <LineText line={line} span={span} />
    </div>
  );
}

export function SideBySide({ lines }: { lines: readonly DiffLine[] }) {
  return (
    <div className="py-1 font-mono text-12">
      {pairLines(lines).map(({ left, right }, i) => {
        const span = spans(left, right);
        return (
          <div key={i} className="grid grid-cols-2">
            <Half line={left} n={left?.before} span={left?.kind === "remove" ? span.before : null} />
            <Half line={right} n={right?.after} span={right?.kind === "add" ? span.after : null} />
          </div>
        );
      })}
    </div>
  );
}
