import { useSyncExternalStore } from "react";

/**
 * How fresh the page is, in one word for the top bar. `line` is the last log line received while a run streams;
 * `behind` says that the store has more than is shown; `offline` that the last request got no answer.
 */
export interface Live {
  state: "live" | "polling" | "behind" | "offline";
  line?: number;
}

let current: Live = { state: "live" };
const listeners = new Set<() => void>();

export function setLive(next: Live): void {
  if (next.state === current.state && next.line === current.line) return;
  current = next;
  listeners.forEach((tell) => tell());
}

/** An answer from the server ends “offline”, and changes nothing else. */
export function heard(): void {
  if (current.state === "offline") setLive({ state: "live" });
}

export function useLive(): Live {
  return useSyncExternalStore((tell) => {
    listeners.add(tell);
    return () => listeners.delete(tell);
  }, () => current);
}
