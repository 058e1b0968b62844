import { ApiError, http } from "@/lib/api/http";
import type { ProgressPage } from "@/lib/api/types";
import { Follower, type Openers } from "@/lib/follow";
import { setLive } from "@/lib/live";
import type { LogStore } from "./store";

interface StreamOptions extends Openers {
  /** Called when the run's status or phase moved. */
  onRun: () => void;
  /** Tells the top bar; off for a log that is only looked at. */
  announce: boolean;
  loadPage?: (path: string, after: number) => Promise<ProgressPage>;
}

const PAGE = 1000;
const POLL_MS = 1_500;
const SILENCE_MS = 40_000;

/**
 * Follows a run's progress until it closes: first what is stored, in pages; then as it comes. The cursor is the store's, so
 * nothing is lost or shown twice by a change of way.
 */
export class RunStream {
  private stopped = false;
  private readonly follower: Follower;

  constructor(private readonly id: string, private readonly store: LogStore, private readonly options: StreamOptions) {
    this.follower = new Follower({
      socket: () => `/terraform/ws/runs/${id}?after=${store.cursor}`,
      events: { path: () => `/terraform/runs/${id}/progress/events?after=${store.cursor}`, name: "records" },
      take: (type, message) => {
        if (type === "run") options.onRun();
        if (type !== "records") return;
        this.take(message as ProgressPage);
        this.announce("live");
      },
      begin: () => this.catchUp(),
      poll: async () => this.take(await this.page()),
      pollMs: () => POLL_MS,
      silenceMs: SILENCE_MS,
      isOver: () => store.isClosed,
      onOver: () => {
        if (options.announce) setLive({ state: "live" });
        options.onRun();
      },
      onWay: (way) => this.announce(way),
    }, options);
  }

  start(): void {
    this.follower.start();
  }

  stop(): void {
    this.stopped = true;
    this.follower.stop();
    if (this.options.announce) setLive({ state: "live" });
  }

  private async page(cursor = this.store.cursor): Promise<ProgressPage> {
    const load = this.options.loadPage ?? ((at: string, after: number) => http.get<ProgressPage>(at, { after, limit: PAGE }));
    try {
      return await load(`/terraform/runs/${this.id}/progress`, cursor);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 410) throw error;
      // An old run's log is not kept: what the API says of it is all that there is to show.
      return { records: [{ offset: cursor, at: new Date().toISOString(), kind: "line", stream: "system", text: error.message, data: {} }], next: cursor + 1, closed: true };
    }
  }

  /** Reads pages until there is nothing more to read now; the next one is on its way while one is taken. */
  private async catchUp(): Promise<void> {
    let coming = this.page();
    for (;;) {
      const page = await coming;
      if (this.stopped) return;
      const isLast = page.closed || page.records.length === 0;
      if (!isLast) {
        coming = this.page(page.next);
        // It is awaited in the next turn; a failure is no surprise to anybody before.
        coming.catch(() => undefined);
      }
      this.take(page);
      if (isLast) return;
      this.announce("behind");
    }
  }

  private take(page: ProgressPage): void {
    if (this.stopped) return;
    this.store.append(page.records, page.next, page.closed);
    if (page.records.some((record) => record.kind === "phase" || record.data.type === "run.status")) this.options.onRun();
  }

  private announce(state: "live" | "polling" | "behind"): void {
    if (this.options.announce && !this.stopped) setLive({ state, line: this.store.lineCount });
  }
}
