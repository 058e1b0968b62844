import type { Run } from "@/lib/api/types";
import { blocking } from "@/lib/plan/blocking";
import { isMove, moveTarget } from "@/lib/plan/moving";
import type { ResourceNode } from "@/lib/plan/tree";

interface Gate {
  /** Whether the plan takes something away, so that seeing and typing are asked for. */
  destructive: boolean;
  /** What Approve is called: it names its consequence. */
  label: string;
  /** What is still missing; null when the press counts. */
  missing: string | null;
  /** What the press sets off. */
  effect: string;
}

function blockedWords(run: Run): string {
  const n = blocking(run).length;
  const what = n === 0 ? "A policy blocks this plan." : n === 1 ? "1 policy set blocks this plan." : `${n} policy sets block this plan.`;
  const you = run.approvals_detail?.you;
  return you?.may_override ? `${what} You may override ${n === 1 ? "it" : "them"}.` : `${what} ${you?.why_not_override ?? "Change what they find and plan again."}`;
}

/** Whether Approve is open, and what it says. The workspace's name and the Seen marks guard what can't be undone. */
export function gate(run: Run, destructive: readonly ResourceNode[], unseen: number, typed: string): Gate {
  const counts = run.summary;
  const parts: string[] = isMove(run.kind) ? [run.kind === "rollback" ? `roll back to ${moveTarget(run)}` : `move to ${moveTarget(run)}`] : [];
  if (counts && counts.destroy > 0) parts.push(`destroy ${counts.destroy}`);
  if (counts && counts.replace > 0) parts.push(`replace ${counts.replace}`);
  if (parts.length === 0 && counts) {
    if (counts.add > 0) parts.push(`create ${counts.add}`);
    if (counts.change > 0) parts.push(`change ${counts.change}`);
  }
  const loses = destructive.length > 0 || (counts !== null && counts.destroy + counts.replace > 0);
  const detail = run.approvals_detail;
  const left = detail ? detail.need - detail.have : 1;
  let missing: string | null = null;
  if (run.status === "policy_blocked") missing = blockedWords(run);
  else if (!run.allowed_actions.includes("approve")) missing = detail?.you.why_not ?? "You can't approve this plan.";
  else if (detail && !detail.you.may_decide) missing = detail.you.why_not ?? "You can't approve this plan.";
  else if (detail?.you.decision === "approve") missing = "You have approved this plan; others must too.";
  else if (run.fingerprint && !run.fingerprint.is_current) missing = "What this plan was made from has moved. Plan again.";
  else if (loses && unseen > 0) missing = unseen === 1 ? "1 destructive change is not seen yet" : `${unseen} destructive changes are not seen yet`;
  else if (loses && typed !== run.workspace.name) missing = typed ? "The name is not typed in full" : "The workspace's name is not typed";
  return {
    destructive: loses,
    label: ["Approve", ...parts].join(", "),
    missing,
    effect: left <= 1 ? `Yours is the last approval needed: the ${isMove(run.kind) ? run.kind : "apply"} starts at once.` : `${left - 1} more ${left === 2 ? "approval is" : "approvals are"} needed after yours.`,
  };
}
