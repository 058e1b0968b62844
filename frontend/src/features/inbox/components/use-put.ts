import { useState } from "react";
import type { Put } from "./groups";

/** What a person has snoozed or called done; kept across reloads. */
export function usePut(me: string): [Put, (id: string, until: number | null) => void] {
  const key = `sluice.inbox.${me}`;
  const [put, setPut] = useState<Put>(() => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "{}") as Put;
    } catch {
      return {};
    }
  });
  return [
    put,
    (id, until) => {
      const next = Object.fromEntries(Object.entries(put).filter(([each]) => each !== id));
      if (until !== null) next[id] = until;
      localStorage.setItem(key, JSON.stringify(next));
      setPut(next);
    },
  ];
}
