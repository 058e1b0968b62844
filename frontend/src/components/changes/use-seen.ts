import { useCallback, useState } from "react";

/** Seen marks belong to a person and to one plan: another fingerprint begins anew. */
function storageKey(me: string, run: string, fingerprint: string): string {
  return `sluice.seen.${me}.${run}.${fingerprint.slice(0, 24)}`;
}

function load(key: string): ReadonlySet<string> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
    return new Set(Array.isArray(kept) ? kept.filter((each): each is string => typeof each === "string") : []);
  } catch {
    return new Set();
  }
}

export interface Seen {
  has: (address: string) => boolean;
  set: (address: string, seen: boolean) => void;
}

export function useSeen(me: string, run: string, fingerprint: string): Seen {
  const key = storageKey(me, run, fingerprint);
  const [held, setHeld] = useState(() => ({ key, marks: load(key) }));
  if (held.key !== key) setHeld({ key, marks: load(key) });
  const { marks } = held;
  const set = useCallback(
    (address: string, seen: boolean) => {
      setHeld((before) => {
        const next = new Set(before.marks);
        if (seen) next.add(address);
        else next.delete(address);
        localStorage.setItem(key, JSON.stringify([...next]));
        return { key, marks: next };
      });
    },
    [key],
  );
  return { has: (address) => marks.has(address), set };
}
