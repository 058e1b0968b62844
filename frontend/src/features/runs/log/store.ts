import type { ProgressRecord } from "@/lib/api/types";
import { type ApplyEvent, readEvent } from "./events";

export type Level = "plain" | "strong" | "quiet" | "warning" | "error";

export interface LogLine {
  /** One-based, as shown. */
  n: number;
  at: string;
  text: string;
  level: Level;
  phase: number;
}

export interface LogPhase {
  name: string;
  at: string;
  endedAt: string | null;
  /** Index of its first line, once it has one: all of its lines follow each other. */
  first: number;
  lines: number;
  errors: number;
  warnings: number;
}

/** “Still …” lines of one phase that follow each other. */
interface Stills {
  first: number;
  count: number;
}

export interface LogState {
  lines: readonly LogLine[];
  stills: readonly Stills[];
  phases: readonly LogPhase[];
  events: readonly ApplyEvent[];
  errors: readonly number[];
  warnings: readonly number[];
  /** The offset to ask for next. */
  next: number;
  closed: boolean;
  /** Offsets that never came; empty is checked, not assumed. */
  missing: number;
  version: number;
}

// Engines colour their output; the page tells importance in its own way.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b\[[0-9;]*[A-Za-z]/g;
/** “Still creating…” and its kin: says nothing new. */
const STILL = /: Still \w+\.\.\./;
const ERROR = /^(?:[│╷\s]*)Error: |^Error\b/;
const WARNING = /^(?:[│╷\s]*)Warning: |^Warning\b/;
const DONE = /complete after|Apply complete|Destroy complete|^Plan:|No changes\./;
const QUIET = /^(?:state snapshot|\s*$)/;

/** The engine has said by itself why it failed, just before; the runner's record of it is for programs. */
function saidAlready({ data }: ProgressRecord): boolean {
  return data.type === "run.error" && data.code === "engine_failed";
}

function levelOf(text: string, data: Record<string, unknown>, stream: string): Level {
  const level = data.level ?? data["@level"] ?? (data.diagnostic as { severity?: string } | undefined)?.severity;
  if (level === "error" || ERROR.test(text)) return "error";
  if (level === "warn" || level === "warning" || WARNING.test(text)) return "warning";
  if (DONE.test(text)) return "strong";
  return QUIET.test(text) || stream === "system" || data.type === "planned_change" ? "quiet" : "plain";
}

/**
 * The log of one run, in order of its offsets. Records may come twice (a reconnect overlaps) and are taken once; a gap
 * is counted, so that the page can say “none missing” truthfully.
 */
export class LogStore {
  private lines: LogLine[] = [];
  private stills: Stills[] = [];
  private phases: LogPhase[] = [];
  private events: ApplyEvent[] = [];
  private errors: number[] = [];
  private warnings: number[] = [];
  private expected = 0;
  private next = 0;
  private closed = false;
  private missing = 0;
  private version = 0;
  private listeners = new Set<() => void>();
  private snapshot: LogState = this.take();
  private timer: ReturnType<typeof setTimeout> | null = null;

  get cursor(): number {
    return this.next;
  }

  /** Lines so far, as they are shown: a record may hold none, or several. */
  get lineCount(): number {
    return this.lines.length;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  append(records: readonly ProgressRecord[], next: number, closed: boolean): void {
    for (const record of records) {
      if (record.offset < this.expected) continue;
      this.missing += record.offset - this.expected;
      this.expected = record.offset + 1;
      this.take1(record);
    }
    this.next = Math.max(this.next, next);
    this.closed ||= closed;
    if (this.closed) {
      const last = this.phases.at(-1);
      const end = this.lines.at(-1)?.at;
      if (last && !last.endedAt) last.endedAt = end !== undefined && end > last.at ? end : null;
    }
    this.changed();
  }

  private take1(record: ProgressRecord): void {
    const text = record.text.replace(ESCAPES, "").replace(/[\r\n]+$/, "");
    if (record.kind === "phase") {
      const data = record.data;
      const name = typeof data.phase === "string" ? data.phase : text;
      const last = this.phases.at(-1);
      if (last) last.endedAt ??= record.at;
      if (data.ended !== true) this.phases.push({ name, at: record.at, endedAt: null, first: this.lines.length, lines: 0, errors: 0, warnings: 0 });
      return;
    }
    if (record.kind === "event") {
      const event = readEvent(record.at, record.data);
      if (event) this.events.push(event);
      if (!text || saidAlready(record)) return;
    }
    if (this.phases.length === 0) this.phases.push({ name: "starting", at: record.at, endedAt: null, first: this.lines.length, lines: 0, errors: 0, warnings: 0 });
    text.split("\n").forEach((part, i) => this.push(part, record, i > 0));
  }

  private push(text: string, record: ProgressRecord, goesOn: boolean): void {
    const phase = this.phases.length - 1;
    const level = levelOf(text, record.data, record.stream);
    const at = this.lines.length;
    this.lines.push({ n: at + 1, at: record.at, text, level, phase });
    const owner = this.phases[phase];
    if (STILL.test(text)) {
      const last = this.stills.at(-1);
      if (last && last.first + last.count === at && last.first >= (owner?.first ?? 0)) last.count += 1;
      else this.stills.push({ first: at, count: 1 });
    }
    if (owner) owner.lines += 1;
    // What one record says in several lines is one error.
    if (goesOn) return;
    if (level === "error") {
      this.errors.push(at);
      if (owner) owner.errors += 1;
    } else if (level === "warning") {
      this.warnings.push(at);
      if (owner) owner.warnings += 1;
    }
  }

  /** Tells of changes at most every 80 ms, of a very long log less often: a flood of lines must not cost a render each. */
  private changed(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.flush();
    }, Math.max(80, this.lines.length / 2_000));
  }

  /** Publishes at once what has been appended. */
  flush(): void {
    this.version += 1;
    this.snapshot = this.take();
    this.listeners.forEach((tell) => tell());
  }

  private take(): LogState {
    return {
      lines: this.lines, stills: this.stills, phases: this.phases, events: this.events, errors: this.errors, warnings: this.warnings,
      next: this.next, closed: this.closed, missing: this.missing, version: this.version,
    };
  }

  subscribe = (tell: () => void): (() => void) => {
    this.listeners.add(tell);
    return () => this.listeners.delete(tell);
  };

  read = (): LogState => this.snapshot;
}
