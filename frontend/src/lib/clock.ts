import { useSyncExternalStore } from "react";

/**
 * One clock for the page. Relative times and countdowns read it, so that they all turn at once, and tests set it.
 */
const listeners = new Map<number, Set<() => void>>();
const timers = new Map<number, ReturnType<typeof setInterval>>();
const snapshots = new Map<number, number>();
let frozen: number | null = null;

export function now(): number {
  return frozen ?? Date.now();
}

/** Holds the clock at a moment (milliseconds), for pictures and tests; null lets it run. */
export function freezeClock(at: number | null): void {
  frozen = at;
  snapshots.clear();
}

/** The present in milliseconds, read anew every `everyMs`. */
export function useNow(everyMs = 10_000): number {
  return useSyncExternalStore(
    (tell) => {
      const set = listeners.get(everyMs) ?? new Set();
      listeners.set(everyMs, set);
      set.add(tell);
      snapshots.set(everyMs, now());
      if (!timers.has(everyMs)) {
        timers.set(everyMs, setInterval(() => {
          snapshots.set(everyMs, now());
          set.forEach((each) => each());
        }, everyMs));
      }
      return () => {
        set.delete(tell);
        if (set.size > 0) return;
        clearInterval(timers.get(everyMs));
        timers.delete(everyMs);
      };
    },
    () => {
      const kept = snapshots.get(everyMs);
      if (kept !== undefined) return kept;
      const first = now();
      snapshots.set(everyMs, first);
      return first;
    },
  );
}
