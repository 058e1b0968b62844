import { Link } from "@tanstack/react-router";
import { Check, CircleHelp } from "lucide-react";
import type { ReactNode } from "react";
import { Ring } from "@/components/domain/status";
import type { Halt } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { clock, plural, stopwatch } from "@/lib/format";
import { processesOf, useScopeWords, useSecondsLeft, useWorkspaceName } from "@/features/halt/hooks";
import { Siblings } from "./siblings";

type HaltedRun = Halt["runs"]["items"][number];

const PROOFS: Record<string, string> = {
  wait_status: "process reaped",
  empty_pid_namespace: "namespace empty",
  presumed_by_lease: "nothing proves it: its lease ended",
  never_started: "no process was started",
};

function proofWords({ state, proof }: HaltedRun): string {
  if (!proof) return state === "dying" ? "not yet" : "";
  const parts = [PROOFS[proof.kind] ?? proof.kind.replaceAll("_", " ")];
  if (proof.exit_code !== null && proof.exit_code !== undefined) parts.unshift(`exit ${proof.exit_code}`);
  if (proof.pid) parts.push(`pid ${proof.pid}`);
  return parts.join(", ");
}

const LOCKS: Record<HaltedRun["lock"], string> = { never_held: "none held", held: "still held", released: "released", orphaned: "orphaned: look at the state" };

function keptWords({ state_written: left }: HaltedRun): string {
  if (!left) return "no state written";
  return left.is_quarantined ? "state in quarantine" : `state ${left.number}, serial ${left.serial}`;
}

/** Why runs had no process when the fence went up. */
function noneWords({ runs }: Halt): string {
  return [runs.had_ended > 0 ? `${runs.had_ended} had been planned` : null, runs.never_started > 0 ? `${runs.never_started} queued` : null].filter(Boolean).join(", ");
}

function Step({ done, now = false, children, aside }: { done: boolean; now?: boolean; children: ReactNode; aside?: string }) {
  return (
    <li className={cx("flex items-center gap-2 text-12", now && "font-medium", !done && !now && "text-ink-3")}>
      {done ? <Check size={14} className="text-create" aria-hidden /> : now ? <Ring className="text-wait" /> : <span className="mx-0.5 size-2.5 rounded-full border border-ctl" aria-hidden />}
      <span className="grow">{children}</span>
      <span className="tnum text-ink-3">{aside}</span>
    </li>
  );
}

/** What a standing halt has done: the fence, the runs it stopped, and the proof of death of each process. */
export function HaltProgress({ halt }: { halt: Halt }) {
  const scope = useScopeWords(halt);
  const nameOf = useWorkspaceName(halt.runs.items.length > 0);
  const left = useSecondsLeft(halt);
  const { marked, dying, items } = halt.runs;
  const { dead, presumed, all, none } = processesOf(halt);
  const began = Date.parse(halt.created_at);
  const bound = Math.max(1, (Date.parse(halt.dead_by) - began) / 1000);
  const quiet = dying === 0;
  const answered = halt.fanout.filter((call) => call.status === "answered").length;
  const asking = halt.fanout.filter((call) => call.status === "pending").length;
  const processes = items.filter((each) => each.state !== "never_started" && !each.had_ended).sort((a, b) => Number(a.state === "dead") - Number(b.state === "dead"));
  return (
    <div className="flex max-sm:flex-col">
      <div className="w-[292px] shrink-0 border-r border-line p-5 max-sm:w-full max-sm:border-r-0 max-sm:border-b">
        <dl className="flex flex-col gap-3 text-13">
          <div><dt className="text-11 text-ink-3">Scope</dt><dd className="font-medium">{scope}</dd></div>
          <div><dt className="text-11 text-ink-3">Raised</dt><dd>{clock(halt.created_at)} by {halt.actor.name}</dd></div>
          <div><dt className="text-11 text-ink-3">Why</dt><dd>{halt.reason}</dd></div>
        </dl>
        <ul className="mt-4 flex flex-col gap-1 border-t border-line pt-3">
          <Step done>Fence up: nothing new can start</Step>
          <Step done>{plural(marked, "run")} cancelled</Step>
          <Step done={quiet} now={!quiet}>{all === 0 ? "No process to end" : `${dead} of ${all} proven dead${presumed > 0 ? `, ${presumed} presumed` : ""}`}</Step>
          {halt.fanout.length > 0 ? <Step done={asking === 0} now={asking > 0}>{answered} of {plural(halt.fanout.length, "sibling system")} answered</Step> : null}
          <Step done={quiet} aside={`+${stopwatch(bound)}`}>All dead, at the latest</Step>
        </ul>
      </div>
      <div className="min-w-0 grow">
        <div className="flex items-center gap-5 border-b border-line p-5">
          <span className={cx("tnum text-36 font-semibold", quiet ? "text-create" : "text-wait")} role="timer">{quiet ? "0:00" : stopwatch(left)}</span>
          <div className="min-w-0 grow">
            <p className="flex justify-between gap-3 font-medium">
              {quiet ? "No process is left in the scope" : left > 0 ? "until every process is dead, at the latest" : "The latest moment has passed: what is left is presumed by its lease"}
              {all > 0 ? <span className="text-12 font-normal text-ink-2">{dead} of {all} proven</span> : null}
            </p>
            <div className="mt-2 h-1.5 bg-sunken" aria-hidden><div className={cx("h-full", quiet ? "bg-mark-create" : "bg-mark-wait")} style={{ width: `${quiet ? 100 : Math.min(100, (1 - left / bound) * 100)}%` }} /></div>
          </div>
        </div>
        {processes.length > 0 ? (
          <div className="max-h-[38vh] overflow-auto" tabIndex={0} role="group" aria-label="Processes">
            <table className="w-full text-12 whitespace-nowrap">
              <thead className="text-left text-11 text-ink-3">
                <tr className="h-7 border-b border-line bg-canvas"><th className="pl-5 font-normal">Process</th><th className="px-2 font-normal">Run</th><th className="px-2 font-normal">Workspace</th><th className="px-2 font-normal">Was</th><th className="px-2 font-normal">Proof of death</th><th className="px-2 font-normal">Kept</th><th className="pr-5 pl-2 font-normal">Lock</th></tr>
              </thead>
              <tbody>
                {processes.map((each) => (
                  <tr key={each.run_id} className={cx("h-8 border-b border-line", each.state === "dying" && "bg-wait-bg")}>
                    <td className="pl-5"><span className="flex items-center gap-2 font-medium">{each.state === "dying" ? <><Ring className="text-wait" />stopping</> : each.state === "presumed" ? <><CircleHelp size={14} className="text-wait" aria-hidden />presumed dead</> : <><Check size={14} className="text-create" aria-hidden />dead</>}</span></td>
                    <td className="px-2"><Link to="/infra/terraform/runs/$id" params={{ id: each.run_id }} className="link font-mono">…{each.run_id.slice(-8)}</Link></td>
                    <td className="px-2">{nameOf(each.workspace_id)}</td>
                    <td className="px-2 text-ink-2">{each.kind === "apply" ? "applying" : "planning"}</td>
                    <td className={cx("px-2", each.state === "dead" ? "text-ink-2" : "text-wait")}>{proofWords(each)}</td>
                    <td className="px-2 text-ink-2">{keptWords(each)}</td>
                    <td className={cx("pr-5 pl-2", each.lock === "orphaned" ? "text-wait" : "text-ink-2")}>{LOCKS[each.lock]}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : null}
        <Siblings calls={halt.fanout} />
        <p className="flex items-center gap-2 border-b border-line px-5 py-2.5 text-12">
          <Check size={14} className="shrink-0 text-create" aria-hidden />
          {none > 0 ? <span><strong className="font-semibold">{plural(none, "run")} had no process:</strong> {noneWords(halt)}. Cancelled with the fence.</span> : marked === 0 ? "Nothing was running or waiting when the fence went up." : "Every run that it stopped had a process."}
        </p>
      </div>
    </div>
  );
}
