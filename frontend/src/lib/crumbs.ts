import { useEffect, useSyncExternalStore } from "react";

interface Crumb {
  label: string;
  to?: string;
  code?: boolean;
}

let current: readonly Crumb[] = [];
const listeners = new Set<() => void>();

/** Says where the page is, for the top bar and the window's title. */
export function usePlace(crumbs: readonly Crumb[]): void {
  const text = JSON.stringify(crumbs);
  useEffect(() => {
    current = JSON.parse(text) as Crumb[];
    document.title = [...current.map((crumb) => crumb.label).reverse(), "Sluice"].join(" · ");
    listeners.forEach((tell) => tell());
  }, [text]);
}

export function useCrumbs(): readonly Crumb[] {
  return useSyncExternalStore((tell) => {
    listeners.add(tell);
    return () => listeners.delete(tell);
  }, () => current);
}
