import type { Rehearsal, RehearsalResult } from "@/lib/api/types";
import { plural } from "@/lib/format";

const RANK: Record<RehearsalResult["effect"], number> = { newly_blocks: 0, blocks: 1, warns: 2, passes: 3, removed: 4 };
export const EFFECT_WORDS: Record<RehearsalResult["effect"], string> = {
  newly_blocks: "would be blocked",
  blocks: "blocked, as then",
  warns: "would warn",
  passes: "passes",
  removed: "plan not kept",
};

/** What it would newly block first, newest first within each kind. */
export function sorted(results: readonly RehearsalResult[]): RehearsalResult[] {
  return [...results].sort((a, b) => RANK[a.effect] - RANK[b.effect] || b.planned_at.localeCompare(a.planned_at));
}

/** The worst sentence first: what this policy set would have stopped. */
export function sentenceOf(rehearsal: Rehearsal): string {
  const { done, removed, newly_blocked: newly, would_block: blocks, would_warn: warns } = rehearsal;
  const judged = done - removed;
  if (judged === 0) return done === 0 ? "No plan was found." : "None of these plans is kept any more.";
  if (newly > 0) return `Would have blocked ${plural(newly, "plan")} that passed, of ${judged}.`;
  if (blocks > 0) return `Blocks nothing new: ${plural(blocks, "plan")} of ${judged} ${blocks === 1 ? "was" : "were"} blocked then, too.`;
  if (warns > 0) return `Blocks nothing. Says something of ${plural(warns, "plan")} of ${judged}.`;
  return judged === 1 ? "Says nothing of the one plan." : `Says nothing of any of ${plural(judged, "plan")}.`;
}

/** Which plans were asked for, in words. */
export function scopeOf(rehearsal: Pick<Rehearsal, "workspaces" | "tag" | "last">): string {
  const where = rehearsal.tag ? `tag ${rehearsal.tag}` : rehearsal.workspaces.length === 0 ? "all workspaces" : rehearsal.workspaces.length <= 2 ? rehearsal.workspaces.map((each) => each.name).join(" and ") : `${rehearsal.workspaces.length} workspaces`;
  return `last ${plural(rehearsal.last, "plan")} of ${where}`;
}
