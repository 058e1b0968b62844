/** How the follower is told of now: by the server's own word, or by asking again and again. */
type Way = "live" | "polling";

/** What is followed, and where it goes. */
export interface Source {
  /** Path of the WebSocket, from where the follower stands now. Its messages are JSON objects with a `type`. */
  socket: () => string;
  /** Path of the same as server-sent events, and the name of those that matter; without it polling comes next. */
  events?: { path: () => string; name: string };
  /** Takes one message: its type (of an event its name), and all of it. */
  take: (type: string, message: unknown) => void;
  /** Reads what is there, once, before anything is opened; tried again when it fails. */
  begin?: () => Promise<void>;
  /** Asks once. A rejection is silence: the next turn asks again. */
  poll: () => Promise<void>;
  pollMs: () => number;
  /** Silence of a WebSocket that counts as its end: more than what the server lets pass between two pings. */
  silenceMs: number;
  /** Whether there is nothing more to come, ever. */
  isOver: () => boolean;
  onOver?: () => void;
  onWay?: (way: Way) => void;
}

/** The ways out, for tests to put others in their place. */
export interface Openers {
  openSocket?: ((url: string) => WebSocket) | undefined;
  openEvents?: ((url: string) => EventSource) | undefined;
}

const SOCKET_TRIES = 2;
const RECONNECT_MS = 400;
const BEGIN_AGAIN_MS = 2_000;
/** The server says something at once: events that have not begun by then are kept back by a proxy. */
const EVENTS_BEGIN_MS = 8_000;
/** So often one that polls looks whether a better way is free again. */
const BETTER_WAY_MS = 30_000;

/**
 * Follows a source until it is over or stopped: by its WebSocket; when that can't be had, by server-sent events where there
 * are such; and when those don't come through either, by polling. Each way goes on where the one before it stood, since the
 * source itself says from where.
 */
export class Follower {
  private stopped = false;
  private socket: WebSocket | null = null;
  private events: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private watchdog: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;
  private pollsSince = 0;

  constructor(private readonly source: Source, private readonly openers: Openers = {}) {}

  start(): void {
    void this.begin();
  }

  stop(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    if (this.watchdog) clearTimeout(this.watchdog);
    this.socket?.close();
    this.closeEvents();
  }

  private async begin(): Promise<void> {
    try {
      await this.source.begin?.();
    } catch {
      this.later(() => this.begin(), BEGIN_AGAIN_MS);
      return;
    }
    if (!this.ended()) this.connect();
  }

  /** Whether nothing more is to be done; says so once the source is over. */
  private ended(): boolean {
    if (this.stopped) return true;
    if (!this.source.isOver()) return false;
    this.stop();
    this.source.onOver?.();
    return true;
  }

  private connect(): void {
    if (this.stopped) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}${this.source.socket()}`;
    let socket: WebSocket;
    try {
      socket = (this.openers.openSocket ?? ((at: string) => new WebSocket(at)))(url);
    } catch {
      this.failures += 1;
      this.listen();
      return;
    }
    this.socket = socket;
    let heard = false;
    this.watch(socket);
    socket.onopen = () => {
      this.watch(socket);
      this.source.onWay?.("live");
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (this.stopped || this.socket !== socket) return;
      heard = true;
      this.failures = 0;
      this.watch(socket);
      const message = JSON.parse(event.data) as { type: string };
      this.source.take(message.type, message);
      this.ended();
    };
    socket.onclose = () => {
      if (this.stopped || this.socket !== socket) return;
      this.socket = null;
      if (this.watchdog) clearTimeout(this.watchdog);
      if (this.ended()) return;
      if (!heard) this.failures += 1;
      if (this.failures >= SOCKET_TRIES) this.listen();
      else this.later(() => this.connect(), RECONNECT_MS);
    };
  }

  /** A proxy may hold a dead connection open, or never answer: silence past the pings is an end. */
  private watch(socket: WebSocket): void {
    if (this.watchdog) clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => socket.close(), this.source.silenceMs);
  }

  private listen(): void {
    if (this.stopped) return;
    const { events } = this.source;
    const open = this.openers.openEvents ?? (typeof EventSource === "undefined" ? null : (at: string) => new EventSource(at));
    if (!events || !open) {
      this.beginPolling();
      return;
    }
    const source = open(events.path());
    this.events = source;
    const giveUp = () => {
      if (this.stopped || this.events !== source) return;
      this.closeEvents();
      this.beginPolling();
    };
    this.later(giveUp, EVENTS_BEGIN_MS);
    source.onopen = () => {
      if (this.timer) clearTimeout(this.timer);
      this.source.onWay?.("live");
    };
    source.addEventListener(events.name, (event: MessageEvent<string>) => {
      if (this.stopped || this.events !== source) return;
      this.source.take(events.name, JSON.parse(event.data));
      this.ended();
    });
    // A browser would connect again by itself: polling is surer, and tries the better ways again.
    source.addEventListener("denied", giveUp);
    source.onerror = giveUp;
  }

  private closeEvents(): void {
    this.events?.close();
    this.events = null;
  }

  private beginPolling(): void {
    this.pollsSince = Date.now();
    void this.poll();
  }

  private async poll(): Promise<void> {
    if (this.stopped) return;
    this.source.onWay?.("polling");
    // The transport has told the top bar of silence.
    await this.source.poll().catch(() => undefined);
    if (this.ended()) return;
    if (Date.now() - this.pollsSince >= BETTER_WAY_MS) this.connect();
    else this.later(() => this.poll(), this.source.pollMs());
  }

  private later(act: () => unknown, ms: number): void {
    if (this.stopped) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(act, ms);
  }
}
