import { ArrowDownToLine, ChevronDown, ChevronUp, CircleX, FoldVertical, TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/field";
import { Empty } from "@/components/ui/bits";
import { cx } from "@/lib/cx";
import { count, plural } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { FoldRow, LineRow, PhaseRow } from "./line";
import { closedAtFirst, LINE, type LogRow, logRows, LogSearch, PHASE } from "./rows";
import type { LogState } from "./store";
import { Geometry, useWindow } from "./window";

const NONE: readonly number[] = [];

interface LogViewProps {
  state: LogState;
  working: boolean;
  title?: string;
  /** The line that the address names, one-based: it is shown as soon as it is there. */
  asked?: number | undefined;
  /** Called with a line whose number was pressed, so that the address names it. */
  onAsk?: ((n: number) => void) | undefined;
}

/** The log: one line a row, virtualized; follow, search, fold, next error, next warning. */
export function LogView({ state, working, title = "Log", asked, onAsk }: LogViewProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [needle, setNeedle] = useState("");
  const [finder] = useState(() => new LogSearch());
  const [hit, setHit] = useState(0);
  const [fold, setFold] = useState(true);
  const [touched, setTouched] = useState<ReadonlySet<number> | null>(null);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [marked, setMarked] = useState<number | null>(null);
  const [follow, setFollow] = useState(working && asked === undefined);
  const [seenLines, setSeenLines] = useState(0);
  const { version } = state;

  // The arrays of the state grow in place: its version says when.
  /* eslint-disable react-hooks/exhaustive-deps */
  const hits = useMemo(() => (needle.trim() ? finder.find(state.lines, needle) : NONE), [version, finder, needle]);
  const closed = useMemo(() => touched ?? closedAtFirst(state), [version, touched]);
  const rows = useMemo(() => logRows(state, { closed, fold, opened, wanted: hits }), [version, closed, fold, opened, hits]);
  /* eslint-enable react-hooks/exhaustive-deps */

  const { items, first, isScrolled, height, geometry } = useWindow(scroller, rows);

  useEffect(() => {
    const node = scroller.current;
    if (follow && node) node.scrollTop = node.scrollHeight;
  }, [follow, height, rows.length]);

  const onScroll = () => {
    const node = scroller.current;
    if (!node) return;
    const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < LINE * 1.5;
    if (!atEnd && follow && working) {
      setFollow(false);
      setSeenLines(state.lines.length);
    } else if (atEnd && !follow && working) setFollow(true);
  };

  const showLine = (line: number | undefined) => {
    if (line === undefined) return;
    setFollow(false);
    setSeenLines(state.lines.length);
    setMarked(line);
    const phase = state.lines[line]?.phase ?? -1;
    let list = rows;
    if (closed.has(phase)) {
      const next = new Set(closed);
      next.delete(phase);
      setTouched(next);
      list = logRows(state, { closed: next, fold, opened, wanted: hits });
    }
    const at = list.indexOfLine(line);
    const to = (list === rows ? geometry : new Geometry(list, scroller.current?.clientHeight ?? 0)).scrollFor(list.topOf(at));
    // After the rows of an opened phase are there.
    if (at >= 0) requestAnimationFrame(() => scroller.current?.scrollTo({ top: to }));
  };
  const shown = useRef<number | undefined>(undefined);
  useEffect(() => {
    if (asked === undefined || shown.current === asked || state.lines.length < asked) return;
    shown.current = asked;
    showLine(asked - 1);
  });
  const toHit = (by: number) => {
    if (hits.length === 0) return;
    const next = (hit + by + hits.length) % hits.length;
    setHit(next);
    showLine(hits[next]);
  };
  const nextOf = (list: readonly number[]) => showLine(list.find((line) => line > (marked ?? -1)) ?? list[0]);
  const togglePhase = (phase: number) => {
    const next = new Set(closed);
    if (!next.delete(phase)) next.add(phase);
    setTouched(next);
  };

  useKeys({
    "/": () => field.current?.focus(),
    f: () => setFollow(true),
    e: () => nextOf(state.errors),
    w: () => nextOf(state.warnings),
    z: () => setFold(!fold),
  });

  const newLines = follow ? 0 : Math.max(0, state.lines.length - seenLines);
  const stickyPhase = isScrolled ? phaseAt(rows.at(first), state) : null;
  return (
    <section aria-label={title} className="flex min-h-0 grow flex-col">
      <div className="flex min-h-9 shrink-0 flex-wrap items-center gap-2 border-b border-line px-5 py-1 max-sm:px-3">
        <h2 className="text-13 font-semibold">{title}</h2>
        <p role="status" className="mr-auto text-12 text-ink-2">
          {plural(state.lines.length, "line")}{state.lines.length === 0 ? "" : state.missing === 0 ? ", none missing" : <span className="text-destroy">, {count(state.missing)} records missing: reload the page</span>}
        </p>
        <SearchInput
          ref={field}
          label="Search the log"
          placeholder="Search"
          keys="/"
          value={needle}
          onValue={(value) => { setNeedle(value); setHit(-1); }}
          onKeyDown={(event) => {
            if (event.key === "Enter") toHit(event.shiftKey ? -1 : 1);
            if (event.key === "Escape") { setNeedle(""); event.currentTarget.blur(); }
          }}
          className="w-52 max-sm:w-full"
          trailing={needle ? (
            <span className="flex shrink-0 items-center text-12 text-ink-2">
              <span role="status" className="tnum mr-1">{hits.length === 0 ? "none" : hit < 0 ? count(hits.length) : `${count(hit + 1)} of ${count(hits.length)}`}</span>
              <IconButton label="Previous hit" className="!size-5" onClick={() => toHit(-1)}><ChevronUp size={13} /></IconButton>
              <IconButton label="Next hit" className="!size-5" onClick={() => toHit(1)}><ChevronDown size={13} /></IconButton>
            </span>
          ) : null}
        />
        <Button size={26} keys="E" icon={<CircleX size={13} className={state.errors.length > 0 ? "text-destroy" : ""} />} blocked={state.errors.length > 0 ? null : "The log has no error"} onClick={() => nextOf(state.errors)}>{state.errors.length === 0 ? "No errors" : plural(state.errors.length, "error")}</Button>
        <Button size={26} keys="W" icon={<TriangleAlert size={13} className={state.warnings.length > 0 ? "text-wait" : ""} />} blocked={state.warnings.length > 0 ? null : "The log has no warning"} onClick={() => nextOf(state.warnings)}>{state.warnings.length === 0 ? "No warnings" : plural(state.warnings.length, "warning")}</Button>
        <Button size={26} keys="Z" aria-pressed={fold} icon={<FoldVertical size={13} />} className={fold ? "bg-selected" : ""} onClick={() => setFold(!fold)}>Fold</Button>
        {working ? <Button size={26} keys="F" aria-pressed={follow} icon={<ArrowDownToLine size={13} />} className={follow ? "bg-selected" : ""} onClick={() => setFollow(!follow)}>{follow ? "Following" : newLines > 0 ? `${count(newLines)} new` : "Follow"}</Button> : null}
      </div>
      <div ref={scroller} onScroll={onScroll} tabIndex={0} role="group" aria-label="Lines of the log" className="inset-focus relative min-h-0 grow overflow-auto bg-surface font-mono text-12">
        {rows.length === 0 ? <Empty className="font-sans" title={working ? "No line yet." : "This run wrote no log."}>{working ? "Lines appear here as the runner writes them." : null}</Empty> : null}
        {stickyPhase === null || !state.phases[stickyPhase] ? null : (
          <div className="sticky top-0 left-0 z-10 -mb-6" aria-hidden inert>
            <PhaseRow phase={state.phases[stickyPhase]} open onToggle={() => undefined} />
          </div>
        )}
        <div className="relative w-max min-w-full" style={{ height }}>
          {items.map(({ index, y }) => {
            const row = rows.at(index);
            if (!row) return null;
            const phase = row.kind === "phase" ? state.phases[row.phase] : undefined;
            const line = row.kind === "line" ? state.lines[row.line] : undefined;
            return (
              <div key={index} className={cx("absolute top-0 left-0 min-w-full", row.kind === "phase" && "w-full")} style={{ transform: `translateY(${y}px)`, height: row.kind === "phase" ? PHASE : LINE }}>
                {phase && row.kind === "phase" ? <PhaseRow phase={phase} open={!closed.has(row.phase)} onToggle={() => togglePhase(row.phase)} /> : null}
                {line && row.kind === "line" ? <LineRow line={line} needle={needle} current={row.line === marked} onPick={onAsk ? () => { shown.current = line.n; setMarked(row.line); onAsk(line.n); } : undefined} /> : null}
                {row.kind === "fold" ? <FoldRow lines={state.lines.slice(row.first, row.first + row.count)} onOpen={() => setOpened(new Set([...opened, row.first]))} /> : null}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

function phaseAt(row: LogRow | null, state: LogState): number | null {
  if (!row || row.kind === "phase") return null;
  return state.lines[row.kind === "line" ? row.line : row.first]?.phase ?? null;
}
