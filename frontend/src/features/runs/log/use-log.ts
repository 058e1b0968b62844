import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { keys } from "@/lib/api/keys";
import { type LogState, LogStore } from "./store";
import { RunStream } from "./stream";

/** Stores of the runs looked at last, so that changing tabs reads nothing twice. */
const kept = new Map<string, LogStore>();
const KEEP = 6;
const NOTHING = new LogStore();

function storeOf(id: string): LogStore {
  const store = kept.get(id) ?? new LogStore();
  kept.delete(id);
  kept.set(id, store);
  const oldest = kept.keys().next().value;
  if (kept.size > KEEP && oldest !== undefined) kept.delete(oldest);
  return store;
}

/** The log of a run, followed for as long as the component stands. */
export function useLog(id: string, announce: boolean): LogState;
export function useLog(id: string | null, announce: boolean): LogState | null;
export function useLog(id: string | null, announce: boolean): LogState | null {
  const [held, setHeld] = useState(() => ({ id, store: id === null ? NOTHING : storeOf(id) }));
  if (held.id !== id) setHeld({ id, store: id === null ? NOTHING : storeOf(id) });
  const { store } = held;
  const queryClient = useQueryClient();
  useEffect(() => {
    if (id === null || store.isClosed) return;
    const stream = new RunStream(id, store, {
      announce,
      onRun: () => void queryClient.invalidateQueries({ queryKey: keys.runs }).then(() => queryClient.invalidateQueries({ queryKey: ["run"], refetchType: "active", predicate: (query) => query.queryKey.length === 2 })),
    });
    stream.start();
    return () => stream.stop();
  }, [id, store, announce, queryClient]);
  const state = useSyncExternalStore(store.subscribe, store.read);
  return id === null ? null : state;
}
