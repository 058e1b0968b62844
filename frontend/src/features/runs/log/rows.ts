import type { LogState } from "./store";

export type LogRow =
  | { kind: "phase"; phase: number }
  | { kind: "line"; line: number }
  | { kind: "fold"; first: number; count: number };

export interface RowOptions {
  /** Phases whose lines are hidden. */
  closed: ReadonlySet<number>;
  /** Whether repeated “Still …” lines fold. */
  fold: boolean;
  /** Folds that were opened, by their first line. */
  opened: ReadonlySet<number>;
  /** Lines that must be in sight, such as hits of a search; a fold gives way to them. */
  wanted: ReadonlySet<number> | null;
}

/** The rows of the log as they stand under each other. Linear in the lines, and only in them. */
export function logRows(state: LogState, options: RowOptions): LogRow[] {
  const rows: LogRow[] = [];
  const { lines } = state;
  let phase = -1;
  let i = 0;
  while (i < lines.length) {
    const line = lines[i];
    if (!line) break;
    while (phase < line.phase) {
      phase += 1;
      rows.push({ kind: "phase", phase });
    }
    if (options.closed.has(line.phase)) {
      i += 1;
      continue;
    }
    if (options.fold && line.still && !options.opened.has(i)) {
      let end = i;
      while (end < lines.length && lines[end]?.still && lines[end]?.phase === line.phase && !options.wanted?.has(end)) end += 1;
      // The latest one stays in sight: it says how long it has been.
      const stop = end === lines.length ? end - 1 : end;
      if (stop - i >= 2) {
        rows.push({ kind: "fold", first: i, count: stop - i });
        i = stop;
        continue;
      }
    }
    rows.push({ kind: "line", line: i });
    i += 1;
    // An opened fold shows all of its lines.
    if (options.fold && line.still && options.opened.has(i - 1)) {
      while (i < lines.length && lines[i]?.still && lines[i]?.phase === line.phase) {
        rows.push({ kind: "line", line: i });
        i += 1;
      }
    }
  }
  while (phase < state.phases.length - 1) {
    phase += 1;
    rows.push({ kind: "phase", phase });
  }
  return rows;
}

/** Indexes of the lines that hold the text, case aside. */
export function search(state: LogState, needle: string): number[] {
  const wanted = needle.trim().toLowerCase();
  if (!wanted) return [];
  const hits: number[] = [];
  state.lines.forEach((line, i) => {
    if (line.text.toLowerCase().includes(wanted)) hits.push(i);
  });
  return hits;
}
