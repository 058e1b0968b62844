import { useMemo, useState } from "react";
import type { Wording } from "@/lib/actions";
import type { ModuleNode, ResourceNode } from "@/lib/plan/tree";
import { type ChangeFilter, changeRows, type ChangeRow, openAtFirst } from "./rows";
import type { Seen } from "./use-seen";

export interface ChangeView {
  rows: readonly ChangeRow[];
  expanded: ReadonlySet<string>;
  closedModules: ReadonlySet<string>;
  filter: ChangeFilter;
  filtered: boolean;
  setFilter: (filter: ChangeFilter) => void;
  /** The address in focus. */
  cursor: string | null;
  /** Counts the moves by key, each of which scrolls. */
  jump: number;
  toggle: (address: string) => void;
  toggleModule: (module: string) => void;
  fold: (open: boolean) => void;
  foldAll: () => void;
  move: (by: 1 | -1) => void;
  moveUnseen: (by: 1 | -1) => void;
  markSeen: () => void;
  seen: Seen;
  destructive: readonly ResourceNode[];
  unseen: readonly ResourceNode[];
}

function flipped(set: ReadonlySet<string>, item: string): Set<string> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}

/** What is open, marked, filtered and in focus in the change tree. */
export function useChangeView(tree: readonly ModuleNode[], destructive: readonly ResourceNode[], seen: Seen, wording: Wording = "plan"): ChangeView {
  const [openFor, setOpenFor] = useState<{ tree: readonly ModuleNode[]; expanded: ReadonlySet<string> }>(() => ({ tree, expanded: openAtFirst(tree) }));
  if (openFor.tree !== tree) setOpenFor({ tree, expanded: openAtFirst(tree) });
  const { expanded } = openFor;
  const setExpanded = (next: ReadonlySet<string>) => setOpenFor({ tree, expanded: next });
  const [closedModules, setClosedModules] = useState<ReadonlySet<string>>(new Set());
  const [filter, setFilter] = useState<ChangeFilter>({ text: "", tone: "all" });
  const [cursor, setCursor] = useState<string | null>(null);
  const [jump, setJump] = useState(0);
  const rows = useMemo(() => changeRows(tree, expanded, closedModules, filter, wording), [tree, expanded, closedModules, filter, wording]);
  const unseen = destructive.filter((node) => !seen.has(node.resource.address));
  const here = cursor ?? destructive[0]?.resource.address ?? null;

  const go = (address: string | undefined) => {
    if (!address) return;
    setCursor(address);
    setJump((n) => n + 1);
  };
  const moveIn = (nodes: readonly ResourceNode[], by: 1 | -1, order: readonly ResourceNode[]) => {
    if (nodes.length === 0) return;
    const at = order.findIndex((node) => node.resource.address === here);
    const rank = (node: ResourceNode) => order.indexOf(node);
    const next = by === 1 ? nodes.find((node) => rank(node) > at) ?? nodes[0] : nodes.findLast((node) => rank(node) < at) ?? nodes.at(-1);
    go(next?.resource.address);
  };
  const all = tree.flatMap((module) => module.resources);
  return {
    rows, expanded, closedModules, filter, setFilter, cursor: here, jump, seen, destructive, unseen,
    filtered: filter.text.trim() !== "" || filter.tone !== "all",
    toggle: (address) => {
      setCursor(address);
      setExpanded(flipped(expanded, address));
    },
    toggleModule: (module) => setClosedModules(flipped(closedModules, module)),
    fold: (open) => {
      if (here && expanded.has(here) !== open) setExpanded(flipped(expanded, here));
    },
    foldAll: () => setExpanded(expanded.size > 0 ? new Set() : new Set(all.map((node) => node.resource.address))),
    move: (by) => {
      const visible = rows.flatMap((row) => (row.kind === "resource" ? [row.node] : []));
      const at = visible.findIndex((node) => node.resource.address === here);
      go(visible[cursor === null ? Math.max(at, 0) : Math.min(Math.max(at + by, 0), visible.length - 1)]?.resource.address);
    },
    moveUnseen: (by) => {
      const next = unseen.length > 0 ? unseen : [];
      const module = next.length > 0 ? tree.find((each) => each.resources.some((node) => next.includes(node)) && closedModules.has(each.module)) : undefined;
      if (module) setClosedModules(flipped(closedModules, module.module));
      moveIn(next, by, all);
    },
    markSeen: () => {
      const node = destructive.find((each) => each.resource.address === here);
      if (node) seen.set(node.resource.address, !seen.has(node.resource.address));
    },
  };
}
