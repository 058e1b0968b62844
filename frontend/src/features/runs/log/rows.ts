import type { LogState } from "./store";

export type LogRow =
  | { kind: "phase"; phase: number }
  | { kind: "line"; line: number }
  | { kind: "fold"; first: number; count: number };

interface RowOptions {
  /** Phases whose lines are hidden. */
  closed: ReadonlySet<number>;
  /** Whether repeated “Still …” lines fold. */
  fold: boolean;
  /** Folds that were opened, by their first line. */
  opened: ReadonlySet<number>;
  /** Lines that must be in sight, such as hits of a search, in order; a fold gives way to them. */
  wanted: readonly number[];
}

/** Heights in pixels. */
export const LINE = 20;
export const PHASE = 24;

/** Rows that follow each other alike: a phase's head, a stretch of lines, or a fold. */
interface Stretch {
  kind: LogRow["kind"];
  /** Its first row, and that row's distance from the top. */
  row: number;
  top: number;
  /** The phase, or the first line. */
  first: number;
  /** The first line that is not before it. */
  line: number;
  /** Rows of lines; lines of a fold; one of a phase. */
  count: number;
}

const rowsOf = (stretch: Stretch) => (stretch.kind === "line" ? stretch.count : 1);
const heightOf = (stretch: Stretch) => (stretch.kind === "phase" ? PHASE : rowsOf(stretch) * LINE);

/** Index of the last element for which the claim holds, of a list in which it holds up to some place; -1 for none. */
function lastWhere<T>(list: readonly T[], holds: (each: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const each = list[middle];
    if (each !== undefined && holds(each)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The rows of the log as they stand under each other, kept as stretches: a million lines cost no more than their phases and folds. */
export class LogRows implements Iterable<LogRow> {
  private readonly stretches: Stretch[] = [];
  length = 0;
  height = 0;

  add(kind: LogRow["kind"], first: number, count: number, line = first): void {
    if (count === 0) return;
    const last = this.stretches.at(-1);
    const joins = last?.kind === "line" && kind === "line" && last.first + last.count === first;
    const stretch = joins ? last : { kind, row: this.length, top: this.height, first, line, count: 0 };
    if (!joins) this.stretches.push(stretch);
    stretch.count += count;
    this.length = stretch.row + rowsOf(stretch);
    this.height = stretch.top + heightOf(stretch);
  }

  at(index: number): LogRow | null {
    if (index < 0 || index >= this.length) return null;
    const stretch = this.stretches[lastWhere(this.stretches, (each) => each.row <= index)];
    if (!stretch) return null;
    if (stretch.kind === "phase") return { kind: "phase", phase: stretch.first };
    if (stretch.kind === "fold") return { kind: "fold", first: stretch.first, count: stretch.count };
    return { kind: "line", line: stretch.first + index - stretch.row };
  }

  /** The row that a line stands in by itself; -1 while its phase or fold hides it. */
  indexOfLine(line: number): number {
    const stretch = this.stretches[lastWhere(this.stretches, (each) => each.line <= line)];
    return stretch?.kind === "line" ? stretch.row + line - stretch.first : -1;
  }

  /** Distance of a row from the top. */
  topOf(index: number): number {
    const stretch = this.stretches[lastWhere(this.stretches, (each) => each.row <= index)];
    return stretch ? stretch.top + (index - stretch.row) * LINE : 0;
  }

  /** The row at a distance from the top. */
  indexAt(pixels: number): number {
    const stretch = this.stretches[lastWhere(this.stretches, (each) => each.top <= pixels)];
    return stretch ? Math.min(stretch.row + rowsOf(stretch) - 1, stretch.row + Math.floor((pixels - stretch.top) / LINE)) : 0;
  }

  *[Symbol.iterator](): Iterator<LogRow> {
    for (let i = 0; i < this.length; i += 1) {
      const row = this.at(i);
      if (row) yield row;
    }
  }
}

/** The rows of a log by what is closed, folded, opened and searched. Linear in phases, folds and what is wanted inside of them. */
export function logRows(state: LogState, { closed, fold, opened, wanted }: RowOptions): LogRows {
  const rows = new LogRows();
  const end = state.lines.length;
  let next = 0;
  state.phases.forEach((phase, p) => {
    rows.add("phase", p, 1, phase.first);
    const stop = phase.first + phase.lines;
    let line = phase.first;
    while (next < state.stills.length && (state.stills[next]?.first ?? end) < stop) {
      const still = state.stills[next];
      next += 1;
      if (!still || !fold || closed.has(p)) continue;
      rows.add("line", line, still.first - line);
      line = still.first + still.count;
      addFolded(rows, still.first, line, { end, opened, wanted });
    }
    if (!closed.has(p)) rows.add("line", line, stop - line);
  });
  return rows;
}

/** The “Still …” lines from `first` to before `stop`. */
function addFolded(rows: LogRows, first: number, stop: number, { end, opened, wanted }: { end: number; opened: ReadonlySet<number>; wanted: readonly number[] }): void {
  let hit = lastWhere(wanted, (each) => each < first) + 1;
  for (let i = first; i < stop;) {
    if (opened.has(i)) {
      rows.add("line", i, stop - i);
      return;
    }
    while ((wanted[hit] ?? end) < i) hit += 1;
    const until = Math.min(stop, wanted[hit] ?? stop);
    // The latest one stays in sight: it says how long it has been.
    const folded = (until === end ? until - 1 : until) - i;
    if (folded >= 2) {
      rows.add("fold", i, folded);
      i += folded;
    } else {
      rows.add("line", i, 1);
      i += 1;
    }
  }
}

const SPECIAL = /[.*+?^${}()|[\]\\]/g;

/** Finds the lines that hold a text, case aside. What was found is kept: further lines and further letters cost only themselves. */
export class LogSearch {
  private wanted = "";
  private hits: number[] = [];
  private upTo = 0;

  /** Indexes of the lines, in order. */
  find(lines: LogState["lines"], needle: string): readonly number[] {
    const wanted = needle.trim().toLowerCase();
    const pattern = new RegExp(wanted.replace(SPECIAL, "\\$&"), "i");
    const holds = (line: number) => pattern.test(lines[line]?.text ?? "");
    if (wanted !== this.wanted) {
      const narrows = this.wanted !== "" && wanted.startsWith(this.wanted);
      this.hits = narrows ? this.hits.filter(holds) : [];
      if (!narrows) this.upTo = 0;
      this.wanted = wanted;
    }
    if (!wanted) return this.hits;
    const found: number[] = [];
    for (; this.upTo < lines.length; this.upTo += 1) if (holds(this.upTo)) found.push(this.upTo);
    if (found.length > 0) this.hits = this.hits.concat(found);
    return this.hits;
  }
}

/** Phases that ended well are closed at first, once there is more than a screen; a failed one, the last, and the last that wrote stay open. */
export function closedAtFirst(state: Pick<LogState, "lines" | "phases">): Set<number> {
  if (state.lines.length < 300) return new Set();
  const last = state.phases.length - 1;
  const wrote = state.phases.findLastIndex((phase) => phase.lines > 0);
  return new Set(state.phases.flatMap((phase, i) => (i !== last && i !== wrote && phase.errors === 0 ? [i] : [])));
}
