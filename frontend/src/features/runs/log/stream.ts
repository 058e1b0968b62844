import { ApiError, http } from "@/lib/api/http";
import type { ProgressPage, ProgressRecord } from "@/lib/api/types";
import { setLive } from "@/lib/live";
import type { LogStore } from "./store";

type Frame =
  | { type: "records"; records: ProgressRecord[]; next: number; closed: boolean }
  | { type: "run"; status: string; phase: string | null }
  | { type: "ping" };

export interface StreamOptions {
  /** Called when the run's status or phase moved. */
  onRun: () => void;
  /** Tells the top bar; off for a log that is only looked at. */
  announce: boolean;
  openSocket?: (url: string) => WebSocket;
  openEvents?: (url: string) => EventSource;
  loadPage?: (path: string, after: number) => Promise<ProgressPage>;
}

const PAGE = 1000;
const POLL_MS = 1500;
const SILENCE_MS = 40_000;
const SOCKET_TRIES = 2;
/** The server says something at once: events that have not begun by then are kept back by a proxy. */
const EVENTS_BEGIN_MS = 8_000;

/**
 * Follows a run's progress until it closes: first what is stored, in pages; then the WebSocket from the next line; when
 * that can't be had, server-sent events; and when those don't come through either, polling. The cursor is the store's, so nothing is lost or shown twice by a change of way.
 */
export class RunStream {
  private stopped = false;
  private socket: WebSocket | null = null;
  private events: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private watchdog: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;

  constructor(private readonly id: string, private readonly store: LogStore, private readonly options: StreamOptions) {}

  start(): void {
    void this.catchUp();
  }

  stop(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    if (this.watchdog) clearTimeout(this.watchdog);
    this.socket?.close();
    this.closeEvents();
    if (this.options.announce) setLive({ state: "live" });
  }

  private page(): Promise<ProgressPage> {
    const path = `/terraform/runs/${this.id}/progress`;
    const load = this.options.loadPage ?? ((at: string, after: number) => http.get<ProgressPage>(at, { after, limit: PAGE }));
    return load(path, this.store.cursor);
  }

  /** Reads pages until there is nothing more to read now. */
  private async catchUp(): Promise<void> {
    try {
      for (;;) {
        const page = await this.page();
        if (this.stopped) return;
        this.take(page);
        if (this.store.isClosed || page.records.length === 0) break;
        this.announce("behind");
      }
    } catch (error) {
      if (this.isGone(error)) this.end();
      else this.later(() => this.catchUp());
      return;
    }
    if (this.store.isClosed) this.end();
    else this.connect();
  }

  private connect(): void {
    if (this.stopped) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}/terraform/ws/runs/${this.id}?after=${this.store.cursor}`;
    let socket: WebSocket;
    try {
      socket = (this.options.openSocket ?? ((at: string) => new WebSocket(at)))(url);
    } catch {
      this.failures += 1;
      this.listen();
      return;
    }
    this.socket = socket;
    let heard = false;
    socket.onmessage = (event: MessageEvent<string>) => {
      heard = true;
      this.failures = 0;
      this.watch(socket);
      this.frame(JSON.parse(event.data) as Frame);
    };
    socket.onopen = () => {
      this.watch(socket);
      this.announce("live");
    };
    socket.onclose = () => {
      if (this.stopped || this.socket !== socket) return;
      this.socket = null;
      if (this.watchdog) clearTimeout(this.watchdog);
      if (this.store.isClosed) {
        this.end();
        return;
      }
      if (!heard) this.failures += 1;
      if (this.failures >= SOCKET_TRIES) this.listen();
      else this.later(() => this.connect(), 400);
    };
  }

  /** Server-sent events, from the cursor; polling when they don't begin or break off. */
  private listen(): void {
    if (this.stopped) return;
    const open = this.options.openEvents ?? (typeof EventSource === "undefined" ? null : (at: string) => new EventSource(at));
    if (!open) {
      void this.poll();
      return;
    }
    const source = open(`/terraform/runs/${this.id}/progress/events?after=${this.store.cursor}`);
    this.events = source;
    const giveUp = () => {
      if (this.stopped || this.events !== source) return;
      this.closeEvents();
      void this.poll();
    };
    this.timer = setTimeout(giveUp, EVENTS_BEGIN_MS);
    source.onopen = () => {
      if (this.timer) clearTimeout(this.timer);
      this.announce("live");
    };
    source.addEventListener("records", (event: MessageEvent<string>) => {
      if (this.stopped || this.events !== source) return;
      this.take(JSON.parse(event.data) as ProgressPage);
      this.announce("live");
      if (!this.store.isClosed) return;
      this.closeEvents();
      this.end();
    });
    // A browser would connect again by itself: polling from the cursor is surer, and tries the better ways again.
    source.addEventListener("denied", giveUp);
    source.onerror = giveUp;
  }

  private closeEvents(): void {
    this.events?.close();
    this.events = null;
  }

  /** A proxy may hold a dead connection open: silence past the pings is an end. */
  private watch(socket: WebSocket): void {
    if (this.watchdog) clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => socket.close(), SILENCE_MS);
  }

  private frame(frame: Frame): void {
    if (frame.type === "run") this.options.onRun();
    if (frame.type !== "records") return;
    this.take(frame);
    if (this.store.isClosed) {
      this.socket?.close();
      this.end();
    }
  }

  private async poll(): Promise<void> {
    if (this.stopped) return;
    this.announce("polling");
    try {
      this.take(await this.page());
    } catch (error) {
      // The transport has told the top bar; the next turn tries again from the same cursor.
      this.isGone(error);
    }
    if (this.store.isClosed) {
      this.end();
      return;
    }
    this.failures += 1;
    // Every so often, see whether the way is free again.
    if (this.failures % 20 === 0) this.later(() => this.connect());
    else this.later(() => this.poll(), POLL_MS);
  }

  private take(page: ProgressPage): void {
    this.store.append(page.records, page.next, page.closed);
    if (page.records.some((record) => record.kind === "phase" || record.data.type === "run.status")) this.options.onRun();
    if (page.records.length > 0 && this.socket) this.announce("live");
  }

  /** An old run's log is not kept: what the API says of it is all that there is to show. */
  private isGone(error: unknown): boolean {
    if (this.stopped || !(error instanceof ApiError) || error.status !== 410) return false;
    const offset = this.store.cursor;
    this.store.append([{ offset, at: new Date().toISOString(), kind: "line", stream: "system", text: error.message, data: {} }], offset + 1, true);
    return true;
  }

  private announce(state: "live" | "polling" | "behind"): void {
    if (this.options.announce && !this.stopped) setLive({ state, line: this.store.cursor });
  }

  private end(): void {
    if (this.options.announce) setLive({ state: "live" });
    this.options.onRun();
  }

  private later(act: () => unknown, ms = 2_000): void {
    if (!this.stopped) this.timer = setTimeout(act, ms);
  }
}
