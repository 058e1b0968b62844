import { useSyncExternalStore } from "react";

let frozen: number | null = null;

export function now(): number {
  return frozen ?? Date.now();
}

/** One ticking value: read by all that follow it, and moved by its timer alone, never by a subscription. */
class Ticker {
  private value = now();
  private timer: ReturnType<typeof setInterval> | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly everyMs: number) {}

  set(): void {
    this.value = now();
    this.listeners.forEach((tell) => tell());
  }

  // One function for the ticker's life: another at each render would make React subscribe anew each time.
  subscribe = (tell: () => void): (() => void) => {
    if (this.timer === null) {
      this.value = now();
      this.timer = setInterval(() => this.set(), this.everyMs);
    }
    this.listeners.add(tell);
    return () => {
      this.listeners.delete(tell);
      if (this.listeners.size > 0 || this.timer === null) return;
      clearInterval(this.timer);
      this.timer = null;
    };
  };

  read = (): number => this.value;
}

const tickers = new Map<number, Ticker>();

function tickerOf(everyMs: number): Ticker {
  const ticker = tickers.get(everyMs) ?? new Ticker(everyMs);
  tickers.set(everyMs, ticker);
  return ticker;
}

/** Holds the clock at a moment (milliseconds), for pictures and tests; null lets it run. */
export function freezeClock(at: number | null): void {
  frozen = at;
  tickers.forEach((ticker) => ticker.set());
}

/** The present in milliseconds, read anew every `everyMs`; one clock for the page, so that all times turn at once. */
export function useNow(everyMs = 10_000): number {
  const ticker = tickerOf(everyMs);
  return useSyncExternalStore(ticker.subscribe, ticker.read);
}
