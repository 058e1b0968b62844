import { type RefObject, useEffect, useState } from "react";
import { LINE, type LogRows } from "./rows";

/** Browsers end at some height (Firefox at 17.9 million pixels): a longer log is scrolled by proportion. */
const HIGHEST = 12_000_000;
const BEYOND = 30;

/** Where the rows are, and where the scrollbar is; the same until the log is higher than a page can be. */
export class Geometry {
  /** What the page is made as high as. */
  readonly height: number;
  private readonly scale: number;

  constructor(rows: LogRows, private readonly view: number) {
    this.height = Math.min(rows.height, HIGHEST);
    this.scale = rows.height > this.height ? (rows.height - view) / (this.height - view) : 1;
  }

  /** The distance of the rows from their top that is shown at a place of the scrollbar. */
  shownAt(scrollTop: number): number {
    return scrollTop * this.scale;
  }

  /** Where the scrollbar is for that distance, as near to the window's middle as can be. */
  scrollFor(top: number): number {
    return Math.max(0, (top - (this.view - LINE) / 2) / this.scale);
  }
}

/** The rows that are in sight of a scroller, with some beyond, and where they stand; only they are made. */
export function useWindow(scroller: RefObject<HTMLElement | null>, rows: LogRows) {
  const [{ top, view }, setPlace] = useState({ top: 0, view: 600 });
  useEffect(() => {
    const node = scroller.current;
    if (!node) return;
    const look = () => setPlace((old) => (old.top === node.scrollTop && old.view === node.clientHeight ? old : { top: node.scrollTop, view: node.clientHeight }));
    look();
    node.addEventListener("scroll", look, { passive: true });
    const watch = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(look);
    watch?.observe(node);
    return () => {
      node.removeEventListener("scroll", look);
      watch?.disconnect();
    };
  }, [scroller]);
  const geometry = new Geometry(rows, view);
  const shown = geometry.shownAt(top);
  const first = rows.length === 0 ? 0 : rows.indexAt(shown);
  const from = Math.max(0, first - BEYOND);
  const to = Math.min(rows.length, rows.length === 0 ? 0 : rows.indexAt(shown + view) + 1 + BEYOND);
  const items = Array.from({ length: to - from }, (_, i) => ({ index: from + i, y: top + rows.topOf(from + i) - shown }));
  return { items, first, isScrolled: shown > 4, height: geometry.height, geometry };
}
