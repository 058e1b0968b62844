import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { evaluate } from "@/features/policies/api/policies";
import type { DraftProblem, Evaluation } from "@/lib/api/types";
import type { Mark } from "@/features/policies/editor/setup";
import { bodyOf, type Draft } from "./store";

/** What follows a value once it has been still for a while. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

/** What the draft says over a run's plan, a moment after the last key; the answer before it stays till then. */
export function useEvaluation(draft: Draft, run: string | undefined, enabled: boolean): { evaluation: Evaluation | undefined; error: unknown; stale: boolean } {
  const text = JSON.stringify(bodyOf(draft));
  const settled = useSettled(text, 350);
  const query = useQuery({
    queryKey: ["evaluate", run ?? "", settled],
    queryFn: () => evaluate({ ...(JSON.parse(settled) as ReturnType<typeof bodyOf>), ...(run ? { run_id: run } : { input: {} }) }),
    enabled,
    retry: false,
    staleTime: Infinity,
    gcTime: 60_000,
    placeholderData: keepPreviousData,
  });
  return { evaluation: query.error ? undefined : query.data, error: query.error, stale: query.isPlaceholderData || settled !== text };
}

/** What is wrong with one file, for the editor. A problem of no line stands at the file's first. */
export function marksOf(problems: readonly DraftProblem[], file: string): Mark[] {
  return problems.filter((each) => each.file === file).map((each) => ({ line: each.line ?? 1, message: each.message }));
}

export function wrongByFile(problems: readonly DraftProblem[]): Map<string, number> {
  const out = new Map<string, number>();
  for (const { file } of problems) if (file) out.set(file, (out.get(file) ?? 0) + 1);
  return out;
}
