import { type Action, isDestructive, planAction } from "@/lib/actions";
import type { PlanResource, RunSummary } from "@/lib/api/types";
import { type AttributeLine, attributeLines, shortChange } from "@/lib/diff/attributes";
import { reasonWords } from "./reasons";

export interface ResourceNode {
  resource: PlanResource;
  action: Action;
  destructive: boolean;
  lines: AttributeLine[];
  /** What stands behind the address: why, in which order, or the whole change when it is short. */
  note: string | null;
  /** Attributes that force the replacement. */
  forcedBy: string[];
  short: { path: string; before: string; after: string }[] | null;
}

export interface ModuleNode {
  /** Empty for the root module. */
  module: string;
  resources: ResourceNode[];
  counts: RunSummary;
  destructive: number;
  note: string | null;
}

const ORDER: Record<Action, number> = {
  replace: 0, "replace-new-first": 1, destroy: 2, change: 3, create: 4, import: 5, forget: 6, move: 7, read: 8, "no-op": 9,
};

/** `web_2` before `web_10`. */
const byName = new Intl.Collator(undefined, { numeric: true });

function noteOf(resource: PlanResource, action: Action, forcedBy: readonly string[]): string | null {
  const parts: string[] = [];
  if (action === "replace") parts.push("destroy, then create");
  if (action === "replace-new-first") parts.push("create, then destroy");
  if (forcedBy.length > 0) parts.push(`forced by ${forcedBy.slice(0, 2).join(", ")}${forcedBy.length > 2 ? ` and ${forcedBy.length - 2} more` : ""}`);
  else {
    const why = reasonWords(resource.reason);
    if (why) parts.push(why);
  }
  if (resource.previous_address) parts.push(`moved from ${resource.previous_address}`);
  return parts.length > 0 ? parts.join(" · ") : null;
}

function resourceNode(resource: PlanResource): ResourceNode {
  const action = planAction(resource.action, resource.replace_order);
  const lines = attributeLines(resource.attributes);
  const forcedBy = lines.filter((line) => line.forces).map((line) => line.path);
  return {
    resource,
    action,
    destructive: isDestructive(action),
    lines,
    note: noteOf(resource, action, forcedBy),
    forcedBy,
    short: action === "change" ? shortChange(lines) : null,
  };
}

function countsOf(nodes: readonly ResourceNode[]): RunSummary {
  const counts: RunSummary = { add: 0, change: 0, replace: 0, destroy: 0 };
  for (const { action } of nodes) {
    if (action === "create") counts.add += 1;
    else if (action === "change") counts.change += 1;
    else if (action === "destroy") counts.destroy += 1;
    else if (action === "import" || action === "forget") counts[action] = (counts[action] ?? 0) + 1;
    else if (action === "replace" || action === "replace-new-first") counts.replace += 1;
  }
  return counts;
}

function moduleNote(nodes: readonly ResourceNode[]): string | null {
  if (nodes.every(({ action, resource }) => action === "destroy" && resource.reason?.startsWith("delete_because_no"))) return "no longer in the configuration";
  if (nodes.length > 1 && nodes.every(({ action }) => action === "create")) return "all new";
  return null;
}

/** The change tree: modules that lose something first, and in each what is lost first. No-ops are left out. */
export function changeTree(resources: readonly PlanResource[]): ModuleNode[] {
  const byModule = new Map<string, ResourceNode[]>();
  for (const resource of resources) {
    const node = resourceNode(resource);
    if (node.action === "no-op") continue;
    const list = byModule.get(resource.module) ?? [];
    list.push(node);
    byModule.set(resource.module, list);
  }
  return [...byModule]
    .map(([module, nodes]) => ({
      module,
      resources: nodes.sort((a, b) => ORDER[a.action] - ORDER[b.action] || byName.compare(a.resource.address, b.resource.address)),
      counts: countsOf(nodes),
      destructive: nodes.filter((node) => node.destructive).length,
      note: moduleNote(nodes),
    }))
    .sort((a, b) => Number(b.destructive > 0) - Number(a.destructive > 0) || b.counts.replace - a.counts.replace || b.destructive - a.destructive || byName.compare(a.module, b.module));
}

/** Every change that takes something away, in the order of the tree. */
export function destructiveChanges(tree: readonly ModuleNode[]): ResourceNode[] {
  return tree.flatMap((module) => module.resources.filter((node) => node.destructive));
}
