import type { RunListItem } from "./api/types";

const KINDS: Record<string, string> = { plan: "Plan", destroy: "Destroy", refresh: "Refresh", rollback: "Roll back the state of", migration: "Move the state of", apply: "Apply" };

/** What a run is called: its message, else what it does and where. */
export function runTitle(run: Pick<RunListItem, "message" | "kind" | "workspace">): string {
  const [first] = run.message.trim().split("\n");
  if (first) return first;
  return `${KINDS[run.kind] ?? run.kind} ${run.workspace.name}`;
}

/** The spec behind the workspace's name: its stack, where that is called otherwise, and its number, where it has one. */
export function specWords({ workspace, stack, spec_version: { number } }: Pick<RunListItem, "workspace" | "stack" | "spec_version">): string {
  const parts = [stack.name === workspace.name ? null : stack.name, number ? `v${number}` : null].filter(Boolean);
  return parts.length > 0 ? `, ${parts.join(" ")}` : "";
}

const SOURCES: Record<string, string> = { ui: "in the browser", api: "through the API", ci: "through CI", mcp: "through MCP", cli: "through the CLI", schedule: "on schedule" };

export function sourceWords(run: Pick<RunListItem, "source" | "requested_by">): string {
  const way = SOURCES[run.source] ?? `through ${run.source}`;
  return run.requested_by.kind === "agent" ? `${way}, an agent` : way;
}
