import type { AttributeLine } from "@/lib/diff/attributes";
import { foldContext } from "@/lib/diff/lines";
import { actionLook, type ActionTone, type Wording } from "@/lib/actions";
import type { ModuleNode, ResourceNode } from "@/lib/plan/tree";

export type ChangeRow =
  | { kind: "module"; key: string; module: ModuleNode }
  | { kind: "resource"; key: string; node: ResourceNode }
  | { kind: "attribute"; key: string; node: ResourceNode; line: AttributeLine }
  | { kind: "json"; key: string; line: AttributeLine }
  | { kind: "unchanged"; key: string; count: number };

export interface ChangeFilter {
  text: string;
  tone: ActionTone | "all";
}

export function matches(node: ResourceNode, filter: ChangeFilter, wording: Wording = "plan"): boolean {
  if (filter.tone !== "all" && actionLook(node.action, wording).tone !== filter.tone) return false;
  const needle = filter.text.trim().toLowerCase();
  return !needle || node.resource.address.toLowerCase().includes(needle) || node.lines.some((line) => line.path.toLowerCase().includes(needle));
}

/** The rows of the change tree as they stand under each other. */
export function changeRows(tree: readonly ModuleNode[], expanded: ReadonlySet<string>, closedModules: ReadonlySet<string>, filter: ChangeFilter, wording: Wording = "plan"): ChangeRow[] {
  const rows: ChangeRow[] = [];
  for (const module of tree) {
    const nodes = module.resources.filter((node) => matches(node, filter, wording));
    if (nodes.length === 0) continue;
    rows.push({ kind: "module", key: `m:${module.module}`, module });
    if (closedModules.has(module.module)) continue;
    for (const node of nodes) {
      const { address } = node.resource;
      rows.push({ kind: "resource", key: `r:${address}`, node });
      if (!expanded.has(address)) continue;
      for (const line of node.lines) {
        rows.push({ kind: "attribute", key: `a:${address}:${line.path}`, node, line });
        if (line.json && line.json.added + line.json.removed > 0) rows.push({ kind: "json", key: `j:${address}:${line.path}`, line });
      }
      if (node.resource.unchanged_count > 0) rows.push({ kind: "unchanged", key: `u:${address}`, count: node.resource.unchanged_count });
    }
  }
  return rows;
}

/** How tall a row will be, before it is measured. */
export function estimate(row: ChangeRow | undefined): number {
  switch (row?.kind) {
    case "json":
      return 8 + 20 * (row.line.json ? foldContext(row.line.json.lines).reduce((sum, hunk) => sum + ("fold" in hunk ? 1 : hunk.lines.length), 0) : 0);
    case "attribute":
    case "unchanged":
      return 20;
    default:
      return 28;
  }
}

/**
 * What is open at first: in a small plan, everything that a line can't say; in a large one, the first change that loses
 * something.
 */
export function openAtFirst(tree: readonly ModuleNode[]): Set<string> {
  const nodes = tree.flatMap((module) => module.resources);
  const open = new Set<string>();
  const first = nodes.find((node) => node.destructive && node.lines.length > 0);
  if (first && first.action !== "destroy") open.add(first.resource.address);
  if (nodes.length > 24) return open;
  const anyLoss = nodes.some((node) => node.destructive);
  for (const node of nodes) {
    if (node.action === "change" && !node.short && node.lines.length <= 12) open.add(node.resource.address);
    if (!anyLoss && nodes.length <= 6 && node.lines.length <= 14) open.add(node.resource.address);
  }
  const [only] = nodes;
  if (open.size === 0 && only && only.lines.length <= 14) open.add(only.resource.address);
  return open;
}
