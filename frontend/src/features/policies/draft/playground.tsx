import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, ShieldX } from "lucide-react";
import { useMemo } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Select } from "@/components/ui/field";
import { inputQuery, plannedRunsQuery } from "@/features/policies/api/policies";
import { FindingText } from "@/features/policies/components/findings";
import { Code } from "@/features/policies/editor/code";
import { explain } from "@/lib/api/http";
import type { DraftProblem, Evaluation, RunListItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { bytes, moment, plural } from "@/lib/format";
import { runTitle } from "@/lib/run-title";

interface PlaygroundProps {
  runs: readonly RunListItem[];
  run: string | undefined;
  onRun: (id: string) => void;
  evaluation: Evaluation | undefined;
  error: unknown;
  /** What is shown is of an earlier text. */
  stale: boolean;
  onProblem: (problem: DraftProblem) => void;
}

/** The draft over one plan, as it is typed; and the very document that it sees. */
export function Playground({ runs, run, onRun, evaluation, error, stale, onProblem }: PlaygroundProps) {
  const now = useNow();
  const loading = useQuery(plannedRunsQuery).isPending;
  if (!run && loading) return <Skeleton rows={6} />;
  return (
    <div className="flex min-h-0 grow flex-col">
      <div className="flex min-h-10 shrink-0 items-center gap-2 border-b border-line px-4 py-1">
        <label htmlFor="try-run" className="shrink-0 text-12 text-ink-2">Plan</label>
        <Select id="try-run" className="!h-7 min-w-0 !text-12 max-sm:!h-11" value={run ?? ""} onChange={(event) => onRun(event.target.value)}>
          {runs.length === 0 ? <option value="">No plan yet: an empty document</option> : null}
          {run && !runs.some((each) => each.id === run) ? <option value={run}>{run}</option> : null}
          {runs.map((each) => <option key={each.id} value={each.id}>{each.workspace.name}: {runTitle(each)}, {moment(each.planned_at ?? each.created_at, now)}</option>)}
        </Select>
        {run ? <Link to="/infra/terraform/runs/$id" params={{ id: run }} className="link shrink-0 text-12">Open</Link> : null}
      </div>
      <div role="status" aria-live="polite" className={cx("shrink-0 border-b border-line px-4 py-2", stale && "opacity-60")}>
        <Verdict evaluation={evaluation} error={error} />
      </div>
      {evaluation && (evaluation.problems.length > 0 || evaluation.findings.length > 0) ? (
        <ul className={cx("inset-focus flex max-h-[42%] shrink-0 flex-col gap-2.5 overflow-auto border-b border-line px-4 py-2.5", stale && "opacity-60")} tabIndex={0} aria-label="What the draft says">
          {evaluation.problems.map((problem, i) => (
            <li key={`p${i}`} className="border-l-2 border-mark-destroy pl-2.5 text-12">
              {problem.file ? <button type="button" className="font-mono text-11 text-ink-2 underline decoration-line-2 underline-offset-3 hover:text-ink" onClick={() => onProblem(problem)}>{problem.file}{problem.line === null ? "" : `, line ${problem.line}`}</button> : null}
              <p className="whitespace-pre-wrap">{problem.message}</p>
            </li>
          ))}
          {evaluation.findings.map((finding, i) => <li key={`f${i}`}><FindingText finding={finding} /></li>)}
        </ul>
      ) : null}
      <InputDocument run={run} />
    </div>
  );
}

function Verdict({ evaluation, error }: { evaluation: Evaluation | undefined; error: unknown }) {
  if (error) return <p className="text-12 text-destroy">{explain(error)}</p>;
  if (!evaluation) return <p className="text-12 text-ink-3">Evaluates.</p>;
  const denies = evaluation.findings.filter((each) => each.kind === "deny").length;
  const warns = evaluation.findings.length - denies;
  const Icon = evaluation.outcome === "passed" ? CircleCheck : evaluation.outcome === "error" ? CircleX : ShieldX;
  const words = evaluation.outcome === "error" ? "Can't be evaluated: a plan would be blocked." : [denies > 0 ? `Denies ${plural(denies, "thing")}` : "Denies nothing", ...(warns > 0 ? [`warns of ${warns}`] : [])].join(", ");
  return (
    <>
      <p className="flex items-center gap-2 text-13 font-semibold">
        <Icon size={15} className={cx("shrink-0", evaluation.outcome === "passed" ? "text-create" : "text-destroy")} aria-hidden />
        {words}
        <span className="ml-auto shrink-0 text-12 font-normal text-ink-3">{evaluation.policy_engine}, {evaluation.duration_ms} ms</span>
      </p>
      {evaluation.error && evaluation.problems.length === 0 ? <p className="mt-0.5 text-12 whitespace-pre-wrap">{evaluation.error}</p> : null}
    </>
  );
}

/** What policies see of the plan: sensitive values are markers. */
function InputDocument({ run }: { run: string | undefined }) {
  const query = useQuery({ ...inputQuery(run ?? ""), enabled: Boolean(run) });
  const text = useMemo(() => (query.data === undefined ? "{}" : JSON.stringify(query.data, null, 2)), [query.data]);
  return (
    <section aria-labelledby="try-input" className="flex min-h-0 grow flex-col">
      <h2 id="try-input" className="flex h-8 shrink-0 items-center gap-2 border-b border-line bg-canvas px-4 text-12 font-semibold">Input document <span className="font-normal text-ink-3">{query.data === undefined ? "" : `${bytes(text.length)}, sensitive values hidden`}</span></h2>
      {run && query.isPending ? <Skeleton rows={8} height={20} /> : query.error ? <Empty title="There is no document of this plan."><p role="alert">{explain(query.error)}</p></Empty> : <div className="min-h-40 grow"><Code key={run ?? "none"} value={text} language="json" label="Input document, read only" /></div>}
    </section>
  );
}
