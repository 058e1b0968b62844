import { Check, Circle, CircleX } from "lucide-react";
import { Ring } from "@/components/domain/status";
import { Fact, SectionHead } from "@/components/ui/bits";
import type { Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { clock, duration, fingerprint as inFours, plural, shortId, since } from "@/lib/format";
import { isFinal, phaseWord } from "@/lib/run-status";

const PLAN = ["preparing", "initializing", "planning", "checking_policies"];
const APPLY = ["preparing", "initializing", "verifying", "applying", "snapshotting"];

/** The phases of a run, done and to come, with what each took. */
export function Phases({ run }: { run: Run }) {
  const now = useNow(1_000);
  const order = run.kind === "apply" ? APPLY : PLAN;
  const done = new Map(run.timings.phases.map((each) => [each.phase, each]));
  const final = isFinal(run.status);
  const began = run.claimed_at ? Date.parse(run.claimed_at) : null;
  const total = began === null ? null : ((run.finished_at ? Date.parse(run.finished_at) : now) - began) / 1000;
  const queued = run.timings.queued_seconds;
  const names = [...order, ...run.timings.phases.map((each) => each.phase).filter((each) => !order.includes(each))];
  const at = run.phase ? order.indexOf(run.phase) : -1;
  return (
    <section aria-labelledby="rail-phases" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-phases" title="Phases" aside={total === null ? null : <span className="tnum">{duration(total)}</span>} />
      <ul>
        <Row state={run.status === "queued" ? "now" : "done"} name="Queued" value={queued === null ? "" : duration(queued)} />
        {names.map((name, i) => {
          const timing = done.get(name);
          const isNow = !final && run.status === "running" && run.phase === name;
          const failed = run.failure?.phase === name;
          const state = isNow ? "now" : failed ? "failed" : timing || (at > i) ? "done" : "ahead";
          if (final && state === "ahead") return null;
          return <Row key={name} state={state} name={phaseWord(name)} value={timing ? duration(timing.seconds) : ""} />;
        })}
      </ul>
    </section>
  );
}

function Row({ state, name, value }: { state: "done" | "now" | "ahead" | "failed"; name: string; value: string }) {
  return (
    <li className={cx("flex h-[19px] items-center gap-2 text-12", state === "now" ? "font-medium text-ink" : state === "failed" ? "text-destroy" : state === "ahead" ? "text-ink-3" : "text-ink-2")}>
      {state === "done" ? <Check size={13} className="text-create" aria-hidden /> : state === "now" ? <Ring size={13} className="text-change" /> : state === "failed" ? <CircleX size={13} aria-hidden /> : <Circle size={13} className="text-ctl" aria-hidden />}
      {name}
      <span className="tnum ml-auto">{value}</span>
    </li>
  );
}

export function LockFacts({ run }: { run: Run }) {
  const now = useNow(1_000);
  const { lock } = run;
  if (!lock) return null;
  return (
    <section aria-labelledby="rail-lock" className="border-b border-line px-4 py-3">
      <SectionHead
        id="rail-lock"
        title="State lock"
        aside={<span className={cx("flex items-center gap-1.5", lock.is_orphaned && "text-replace")}><span className={cx("size-[7px] rounded-full", lock.is_orphaned ? "bg-mark-replace" : "bg-mark-create")} aria-hidden />{lock.is_orphaned ? "holder dead" : "holder alive"}</span>}
      />
      <dl className="mt-0.5">
        <Fact label="Holder">{lock.run_id ? <span className="font-mono">{shortId(lock.run_id)}</span> : `${lock.holder.name ?? "a person"}, by hand`}{lock.holder.host ? <> on <span className="font-mono">{lock.holder.host}</span></> : null}</Fact>
        <Fact label="Heartbeat">{since(lock.heartbeat_at, now)} ago</Fact>
        <Fact label="Taken">{clock(lock.acquired_at)}</Fact>
      </dl>
    </section>
  );
}

/** What was checked again, just before the engine started. */
export function Verified({ child }: { child: Run }) {
  const seen = child.evidence.find((each) => each.kind === "verified");
  if (!seen) return null;
  const data = seen.data as { have?: number; need?: number; fingerprint?: string };
  const policies = child.policy_checks.filter((check) => check.stage === "apply").length;
  const lines = [
    data.fingerprint ? <>Fingerprint <code className="text-12">{inFours(data.fingerprint)}</code>, as approved</> : null,
    data.need === undefined ? null : `${data.have ?? 0} of ${data.need} approvals valid`,
    policies > 0 ? `${plural(policies, "policy set")} re-checked` : null,
    "No halt in scope",
  ].filter((line) => line !== null);
  return (
    <section aria-labelledby="rail-verified" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-verified" title="Verified before the first change" aside={clock(String(seen.at))} />
      <ul>
        {lines.map((line, i) => (
          <li key={i} className="flex min-h-[19px] items-start gap-2 text-12 leading-[19px]"><Check size={13} className="mt-[3px] shrink-0 text-create" aria-hidden /><span>{line}</span></li>
        ))}
      </ul>
    </section>
  );
}

const PROOFS: Record<string, string> = {
  wait_status: "process reaped",
  empty_pid_namespace: "no process left in its namespace",
  presumed_by_lease: "presumed dead: its lease ended",
  never_started: "no process was started",
};

/** How the run ended, and how it is known that nothing of it lives. */
export function ProofFacts({ run }: { run: Run }) {
  const proof = run.proof_of_death;
  if (!isFinal(run.status) || (run.status === "applied" && proof?.kind !== "presumed_by_lease")) return null;
  return (
    <section aria-labelledby="rail-proof" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-proof" title="How it ended" aside={run.quiesced_at ? "quiet" : <span className="text-wait">not yet quiet</span>} />
      {proof ? (
        <dl className="mt-0.5">
          <Fact label="Proof">{PROOFS[proof.kind] ?? proof.kind.replaceAll("_", " ")}</Fact>
          {proof.exit_code === null || proof.exit_code === undefined ? null : <Fact label="Exit code">{proof.exit_code}{proof.pid ? `, pid ${proof.pid}` : ""}</Fact>}
          <Fact label="At">{clock(proof.at)}</Fact>
        </dl>
      ) : (
        <p className="text-12 text-ink-2">No proof yet that its process is dead. Nothing else starts in this workspace before.</p>
      )}
    </section>
  );
}
