import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { estimateQuery, planQuery, runQuery } from "@/lib/api/runs";
import type { Run } from "@/lib/api/types";
import { sentenceOfLoss } from "@/lib/plan/loss";
import { isMove, moveSentence } from "@/lib/plan/moving";
import { changeTree, destructiveChanges } from "@/lib/plan/tree";

/** Statuses in which there is no plan to read yet, or none will ever be. */
function mayHavePlan(run: Run): boolean {
  return run.kind !== "apply" && run.status !== "queued" && run.status !== "running" && (run.summary !== null || run.planned_at !== null);
}

const NONE: never[] = [];

/** All that the run page shows of one run: itself, its apply, its plan. */
export function useRunData(id: string) {
  const run = useSuspenseQuery(runQuery(id)).data;
  const childId = run.child?.id ?? run.child_run_id;
  const child = useQuery({ ...runQuery(childId ?? ""), enabled: Boolean(childId) }).data;
  const planned = mayHavePlan(run);
  const planResult = useQuery(planQuery(id, planned));
  const plan = planResult.data;
  const estimate = useQuery(estimateQuery(id, plan !== undefined && !isMove(run.kind))).data ?? null;
  const tree = useMemo(() => (plan ? changeTree(plan.resources) : NONE), [plan]);
  const driftTree = useMemo(() => (plan ? changeTree(plan.drift) : NONE), [plan]);
  const destructive = useMemo(() => destructiveChanges(tree), [tree]);
  const { kind, target } = run;
  const loss = useMemo(() => (!plan ? null : isMove(kind) ? moveSentence({ kind, target }, plan.counts) : sentenceOfLoss(plan.resources)), [plan, kind, target]);
  return { run, child, plan, estimate, planned, planError: planResult.error, tree, driftTree, destructive, loss };
}

export type RunData = ReturnType<typeof useRunData>;
