/** A line diff (Myers), with line numbers of both sides. */

export interface DiffLine {
  kind: "same" | "add" | "remove";
  text: string;
  /** One-based numbers in the old and the new text; null where the line is not. */
  before: number | null;
  after: number | null;
}

/** Equal lines for the caller's purpose; by default equal text. */
type Same = (a: string, b: string) => boolean;

/** Cost is lines × differences; beyond this many differences the middle is shown as replaced whole. */
const MAX_EDITS = 2000;

export function diffLines(before: readonly string[], after: readonly string[], same: Same = (a, b) => a === b): DiffLine[] {
  let head = 0;
  while (head < before.length && head < after.length && same(before[head] ?? "", after[head] ?? "")) head += 1;
  let tail = 0;
  while (
    tail < before.length - head && tail < after.length - head &&
    same(before[before.length - 1 - tail] ?? "", after[after.length - 1 - tail] ?? "")
  ) tail += 1;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  const keep = (n: number) => {
    for (let k = 0; k < n; k += 1) {
      out.push({ kind: "same", text: after[j] ?? "", before: i + 1, after: j + 1 });
      i += 1;
      j += 1;
    }
  };
  keep(head);
  for (const step of script(a, b, same)) {
    if (step === "same") keep(1);
    else if (step === "remove") {
      out.push({ kind: "remove", text: before[i] ?? "", before: i + 1, after: null });
      i += 1;
    } else {
      out.push({ kind: "add", text: after[j] ?? "", before: null, after: j + 1 });
      j += 1;
    }
  }
  keep(tail);
  return out;
}

function script(a: readonly string[], b: readonly string[], same: Same): ("same" | "add" | "remove")[] {
  const whole = (): ("add" | "remove")[] => [...a.map(() => "remove" as const), ...b.map(() => "add" as const)];
  if (a.length === 0 || b.length === 0) return whole();
  const max = Math.min(a.length + b.length, MAX_EDITS);
  const size = 2 * max + 3;
  const mid = max + 1;
  let v = new Int32Array(size);
  const trace: Int32Array[] = [];
  for (let d = 0; d <= max; d += 1) {
    trace.push(v.slice());
    const next = v;
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (v[mid + k - 1] ?? 0) < (v[mid + k + 1] ?? 0));
      let x = down ? (v[mid + k + 1] ?? 0) : (v[mid + k - 1] ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && same(a[x] ?? "", b[y] ?? "")) {
        x += 1;
        y += 1;
      }
      next[mid + k] = x;
      if (x >= a.length && y >= b.length) return walkBack(trace, d, a.length, b.length, mid);
    }
    v = next;
  }
  return whole();
}

function walkBack(trace: readonly Int32Array[], edits: number, n: number, m: number, mid: number): ("same" | "add" | "remove")[] {
  const out: ("same" | "add" | "remove")[] = [];
  let x = n;
  let y = m;
  for (let d = edits; d > 0; d -= 1) {
    const v = trace[d];
    if (!v) break;
    const k = x - y;
    const down = k === -d || (k !== d && (v[mid + k - 1] ?? 0) < (v[mid + k + 1] ?? 0));
    const fromK = down ? k + 1 : k - 1;
    const fromX = v[mid + fromK] ?? 0;
    const fromY = fromX - fromK;
    const afterX = down ? fromX : fromX + 1;
    while (x > afterX) {
      out.push("same");
      x -= 1;
    }
    out.push(down ? "add" : "remove");
    x = fromX;
    y = fromY;
  }
  while (x > 0 && y > 0) {
    out.push("same");
    x -= 1;
    y -= 1;
  }
  return out.reverse();
}

export type Hunk = { fold: number } | { lines: DiffLine[] };

/** Keeps `context` same lines around every change and folds the rest to a count. */
export function foldContext(lines: readonly DiffLine[], context = 3): Hunk[] {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, i) => {
    if (line.kind === "same") return;
    for (let k = Math.max(0, i - context); k <= Math.min(lines.length - 1, i + context); k += 1) near[k] = 1;
  });
  const out: Hunk[] = [];
  for (let i = 0; i < lines.length; ) {
    let end = i;
    while (end < lines.length && near[end] === near[i]) end += 1;
    const slice = lines.slice(i, end);
    // A fold of one or two lines hides less than it costs.
    if (near[i] || slice.length <= 2) {
      const last = out.at(-1);
      if (last && "lines" in last) last.lines.push(...slice);
      else out.push({ lines: slice });
    } else out.push({ fold: slice.length });
    i = end;
  }
  return out;
}

/** Where two versions of one line differ: the common beginning and end are left out. */
export function changedSpan(before: string, after: string): { start: number; endBefore: number; endAfter: number } | null {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let tail = 0;
  while (tail < before.length - start && tail < after.length - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const word = /[\w.-]/;
  while (start > 0 && word.test(before[start - 1] ?? "") && word.test(before[start] ?? after[start] ?? "")) start -= 1;
  while (tail > 0 && word.test(before[before.length - tail] ?? "") && word.test(before[before.length - tail - 1] ?? after[after.length - tail - 1] ?? "")) tail -= 1;
  // Nothing in common but blanks: the line is another one, not a changed one.
  if (before.slice(0, start).trim() === "" && before.slice(before.length - tail).trim() === "") return null;
  return { start, endBefore: before.length - tail, endAfter: after.length - tail };
}
