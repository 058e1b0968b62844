import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/lib/api/http";
import type { ProgressPage, ProgressRecord } from "@/lib/api/types";
import { applyLog } from "@/testing/fixtures/progress";
import { FakeEvents, FakeSocket, refuseSockets } from "@/testing/fake-streams";
import { closedAtFirst, logRows, LogSearch } from "./rows";
import { type LogState, LogStore } from "./store";
import { RunStream } from "./stream";
import { Geometry } from "./window";

const record = (offset: number, text: string, over: Partial<ProgressRecord> = {}): ProgressRecord => ({ offset, at: new Date(offset * 1000).toISOString(), kind: "line", stream: "stdout", text, data: {}, ...over });

function filled(records: ProgressRecord[], closed = true): LogStore {
  const store = new LogStore();
  store.append(records, records.length, closed);
  store.flush();
  return store;
}

const search = (state: LogState, needle: string) => new LogSearch().find(state.lines, needle);

describe("LogStore", () => {
  it("takes a record that comes twice once, and counts no gap", () => {
    const store = filled([record(0, "a"), record(1, "b")], false);
    store.append([record(1, "b"), record(2, "c")], 3, false);
    store.flush();
    expect(store.read().lines.map((line) => line.text)).toEqual(["a", "b", "c"]);
    expect(store.read().missing).toBe(0);
  });

  it("counts records that never came", () => {
    expect(filled([record(0, "a"), record(5, "f")]).read().missing).toBe(4);
  });

  it("keeps phases with their lines, errors and warnings", () => {
    const state = filled([
      record(0, "planning", { kind: "phase", data: { phase: "planning" } }), record(1, "Error: no such bucket"), record(2, "Warning: deprecated"),
      record(3, "applying", { kind: "phase", data: { phase: "applying" } }), record(4, "\u001b[1mdone\u001b[0m"),
    ]).read();
    expect(state.phases.map(({ name, lines, errors, warnings }) => ({ name, lines, errors, warnings }))).toEqual([
      { name: "planning", lines: 2, errors: 1, warnings: 1 }, { name: "applying", lines: 1, errors: 0, warnings: 0 },
    ]);
    expect(state.lines.at(-1)?.text).toBe("done");
    expect(state.errors).toEqual([0]);
  });

  it("counts an error of several lines once, and shows once what the runner says after the engine", () => {
    const error = "Error: no such bucket\n  on main.tf line 4:\nIt was never made.";
    const state = filled([
      record(0, "applying", { kind: "phase", data: { phase: "applying" } }), record(1, error, { kind: "event", data: { type: "diagnostic", level: "error" } }),
      record(2, "snapshotting", { kind: "phase", data: { phase: "snapshotting" } }), record(3, error, { kind: "event", stream: "system", data: { type: "run.error", level: "error", code: "engine_failed" } }),
      record(4, "The state could not be stored.", { kind: "event", stream: "system", data: { type: "run.error", level: "error", code: "artifact_store_unavailable" } }),
    ]).read();
    expect(state.lines.map(({ n, level }) => [n, level])).toEqual([[1, "error"], [2, "error"], [3, "error"], [4, "error"]]);
    expect(state.errors).toEqual([0, 3]);
    expect(state.phases.map(({ errors }) => errors)).toEqual([1, 1]);
  });

  it("reads apply events, flat and as the engine's hook", () => {
    const state = filled([
      record(0, "", { kind: "event", data: { type: "apply_start", address: "a.b", action: "create" } }),
      record(1, "a.c: Creating...", { kind: "event", data: { type: "apply_complete", hook: { resource: { addr: "a.c" }, action: "create", elapsed_seconds: 3 } } }),
    ]).read();
    expect(state.events.map(({ type, address, elapsed }) => ({ type, address, elapsed }))).toEqual([{ type: "start", address: "a.b", elapsed: null }, { type: "complete", address: "a.c", elapsed: 3 }]);
    expect(state.lines).toHaveLength(1);
  });

  it("takes 100,000 lines, their rows and a search of them in moments", () => {
    const records = Array.from({ length: 100_000 }, (_, i) => record(i, `module.a.aws_x.y${i}: Refreshing state...`));
    const begun = performance.now();
    const state = filled(records).read();
    logRows(state, { closed: new Set(), fold: true, opened: new Set(), wanted: [] });
    search(state, "y99999");
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe("logRows", () => {
  const state = filled(applyLog()).read();
  const options = { closed: new Set<number>(), fold: true, opened: new Set<number>(), wanted: [] };

  it("folds repeated “Still” lines and opens them on demand", () => {
    const folds = [...logRows(state, options)].filter((row) => row.kind === "fold");
    expect(folds.map((row) => row.count)).toEqual([51, 132, 14]);
    const first = folds[0]?.first ?? 0;
    const opened = [...logRows(state, { ...options, opened: new Set([first]) })];
    expect(opened.filter((row) => row.kind === "fold")).toHaveLength(2);
    expect(opened.filter((row) => row.kind === "line" && row.line >= first && row.line < first + 51)).toHaveLength(51);
  });

  it("hides the lines of a closed phase and keeps its head", () => {
    const rows = [...logRows(state, { ...options, closed: new Set([1]) })];
    expect(rows.filter((row) => row.kind === "phase")).toHaveLength(4);
    expect(rows.some((row) => row.kind === "line" && state.lines[row.line]?.phase === 1)).toBe(false);
  });

  it("keeps a searched line in sight", () => {
    const hits = search(state, "[20s elapsed]");
    const rows = [...logRows(state, { ...options, wanted: hits })];
    expect(hits.length).toBeGreaterThan(0);
    expect(hits.every((hit) => rows.some((row) => row.kind === "line" && row.line === hit))).toBe(true);
  });
});

describe("LogRows", () => {
  const state = filled(applyLog()).read();
  const rows = logRows(state, { closed: new Set([0]), fold: true, opened: new Set(), wanted: [] });

  it("finds each row by its line and by its place, and the other way round", () => {
    const all = [...rows];
    expect(all).toHaveLength(rows.length);
    let top = 0;
    all.forEach((row, i) => {
      expect(rows.topOf(i)).toBe(top);
      expect(rows.indexAt(top)).toBe(i);
      top += row.kind === "phase" ? 24 : 20;
      expect(rows.indexAt(top - 1)).toBe(i);
    });
    expect(top).toBe(rows.height);
    const rowOf = new Map(all.flatMap((row, i) => (row.kind === "line" ? [[row.line, i]] : [])));
    state.lines.forEach((_, line) => expect(rows.indexOfLine(line)).toBe(rowOf.get(line) ?? -1));
    expect(rows.at(rows.length)).toBeNull();
  });

  it("shows the first and the last line of a log that is higher than a page can be", () => {
    const long = { ...state, phases: [{ name: "applying", at: "", endedAt: null, first: 0, lines: 2_000_000, errors: 0, warnings: 0 }], stills: [] };
    const all = logRows(long, { closed: new Set(), fold: true, opened: new Set(), wanted: [] });
    const geometry = new Geometry(all, 600);
    expect(geometry.height).toBeLessThan(17_000_000);
    expect(geometry.shownAt(0)).toBe(0);
    expect(geometry.shownAt(geometry.height - 600) + 600).toBeCloseTo(all.height, 3);
    const middle = all.topOf(1_000_000);
    expect(Math.abs(geometry.shownAt(geometry.scrollFor(middle)) + 290 - middle)).toBeLessThan(1);
  });
});

describe("LogSearch", () => {
  it("takes a text for itself, never for a pattern, and letters in any case", () => {
    const { lines } = filled([record(0, "node[1] (A)"), record(1, "node11 a")]).read();
    expect(search({ lines } as LogState, "NODE[1]")).toEqual([0]);
    expect(search({ lines } as LogState, "(a)")).toEqual([0]);
    expect(search({ lines } as LogState, "  ")).toEqual([]);
  });

  it("finds in lines that came since, and widens again when letters are taken away", () => {
    const store = new LogStore();
    const finder = new LogSearch();
    const hits = (needle: string) => [...finder.find(store.read().lines, needle)];
    store.append([record(0, "apple"), record(1, "apply")], 2, false);
    store.flush();
    expect([hits("app"), hits("apple")]).toEqual([[0, 1], [0]]);
    store.append([record(2, "apple pie"), record(3, "pear")], 4, false);
    store.flush();
    expect([hits("apple"), hits("app"), hits("pear")]).toEqual([[0, 2], [0, 1, 2], [3]]);
  });
});

describe("RunStream", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    FakeEvents.all = [];
  });
  afterEach(() => vi.useRealTimers());

  const empty: ProgressPage = { records: [], next: 2, closed: false };

  function start(pages: ProgressPage[], events = false) {
    const store = new LogStore();
    const asked: number[] = [];
    const stream = new RunStream("run-1", store, {
      onRun: () => undefined, announce: false,
      openSocket: (url) => new FakeSocket(url) as unknown as WebSocket,
      ...(events ? { openEvents: (url: string) => new FakeEvents(url) as unknown as EventSource } : {}),
      loadPage: (_, after) => {
        asked.push(after);
        return Promise.resolve(pages.shift() ?? { ...empty, next: store.cursor });
      },
    });
    stream.start();
    return { store, asked, stream };
  }

  it("reads what is stored, then opens the socket at the next line", async () => {
    const { store, asked } = start([{ records: [record(0, "a"), record(1, "b")], next: 2, closed: false }, empty]);
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([0, 2]);
    expect(FakeSocket.all[0]?.url).toMatch(/\/terraform\/ws\/runs\/run-1\?after=2$/);
    FakeSocket.all[0]?.send({ type: "records", records: [record(2, "c")], next: 3, closed: true });
    store.flush();
    expect(store.read().lines.map((line) => line.text)).toEqual(["a", "b", "c"]);
    expect(store.isClosed).toBe(true);
  });

  it("resumes at the cursor when the connection breaks", async () => {
    start([empty]);
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.all[0]?.send({ type: "records", records: [record(2, "c")], next: 3, closed: false });
    FakeSocket.all[0]?.close();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeSocket.all[1]?.url).toMatch(/after=3$/);
  });

  it("polls when no socket can be had, from the same cursor, until the stream closes", async () => {
    const { asked, store } = start([empty]);
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.all[0]?.close();
    await vi.advanceTimersByTimeAsync(500);
    FakeSocket.all[1]?.close();
    await vi.advanceTimersByTimeAsync(3_200);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(new Set(asked.slice(1))).toEqual(new Set([2]));
    expect(store.isClosed).toBe(false);
  });

  it("takes server-sent events when no socket can be had, from the same cursor", async () => {
    const { asked, store } = start([empty], true);
    await refuseSockets();
    const source = FakeEvents.all[0];
    expect(source?.url).toBe("/terraform/runs/run-1/progress/events?after=2");
    source?.onopen?.();
    await vi.advanceTimersByTimeAsync(20_000);
    source?.send("records", { records: [record(2, "c")], next: 3, closed: false });
    source?.send("records", { records: [record(3, "d")], next: 4, closed: true });
    store.flush();
    expect(store.read().lines.map((line) => line.text)).toEqual(["c", "d"]);
    expect(source?.closed).toBe(true);
    expect(asked).toHaveLength(1);
  });

  it.each(["broken off", "kept back"])("polls when the events are %s", async (how) => {
    const { asked } = start([empty], true);
    await refuseSockets();
    if (how === "broken off") FakeEvents.all[0]?.onerror?.();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(FakeEvents.all[0]?.closed).toBe(true);
    expect(asked.length).toBeGreaterThanOrEqual(3);
  });

  it("says that an old run's log is not kept, and asks no more", async () => {
    const store = new LogStore();
    const loadPage = vi.fn(() => Promise.reject(new ApiError({ type: "about:blank", title: "The log is no longer kept", status: 410, detail: "The log of run-1 was removed at 2026-02-19, after 90 days.", code: "log_removed" })));
    new RunStream("run-1", store, { onRun: () => undefined, announce: false, loadPage }).start();
    await vi.advanceTimersByTimeAsync(10_000);
    store.flush();
    expect(store.read().lines.map((line) => line.text)).toEqual(["The log of run-1 was removed at 2026-02-19, after 90 days."]);
    expect(store.isClosed).toBe(true);
    expect(loadPage).toHaveBeenCalledTimes(1);
  });

  it("treats a silent connection as broken", async () => {
    start([empty]);
    await vi.advanceTimersByTimeAsync(0);
    FakeSocket.all[0]?.onopen?.();
    await vi.advanceTimersByTimeAsync(41_000);
    expect(FakeSocket.all.length).toBeGreaterThan(1);
  });
});

describe("the phases of a long log", () => {
  const phase = (offset: number, name: string) => record(offset, name, { kind: "phase", data: { phase: name } });
  const lines = (from: number, count: number) => Array.from({ length: count }, (_, i) => record(from + i, `line ${i}`));

  it("are closed at first, but for the last that wrote: what comes after it may be empty", () => {
    const state = filled([phase(0, "initializing"), ...lines(1, 10), phase(11, "applying"), ...lines(12, 400), phase(412, "snapshotting")]).read();
    expect([...closedAtFirst(state)]).toEqual([0]);
  });

  it("stay open where one failed, and where there is no more than a screen", () => {
    const failed = filled([phase(0, "planning"), record(1, "Error: no such bucket"), phase(2, "applying"), ...lines(3, 400)]).read();
    expect([...closedAtFirst(failed)]).toEqual([]);
    expect([...closedAtFirst(filled([phase(0, "planning"), ...lines(1, 20), phase(21, "checking_policies")]).read())]).toEqual([]);
  });
});
