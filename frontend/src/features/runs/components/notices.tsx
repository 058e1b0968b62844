import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleX, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { PlaceText } from "@/components/domain/place";
import { leftWords, runRecoveryQuery } from "@/lib/api/recovery";
import { useMay } from "@/lib/api/session";
import type { Diagnostic, Override, Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { hourMinute, listed, span } from "@/lib/format";
import { blocking, standingOverride } from "@/lib/plan/blocking";
import { setName } from "@/lib/policy-words";
import { phaseWord, tellsPlace } from "@/lib/run-status";

function Notice({ tone, children }: { tone: "destroy" | "wait" | "read"; children: ReactNode }) {
  const Icon = tone === "destroy" ? CircleX : Info;
  return (
    <div className={cx("flex gap-2.5 border-b border-line px-5 py-2.5 text-13 max-sm:px-4", tone === "destroy" ? "bg-destroy-bg" : tone === "wait" ? "bg-wait-bg" : "bg-read-bg")}>
      <Icon size={15} className={cx("mt-[3px] shrink-0", tone === "destroy" ? "text-destroy" : tone === "wait" ? "text-wait" : "text-read")} aria-hidden />
      <div className="min-w-0">{children}</div>
    </div>
  );
}

function DiagnosticText({ diagnostic }: { diagnostic: Diagnostic }) {
  return (
    <li className="mt-1">
      <p>{diagnostic.address ? <code className="text-12">{diagnostic.address}: </code> : null}{diagnostic.summary}</p>
      {diagnostic.detail ? <p className="text-12 whitespace-pre-wrap text-ink-2">{diagnostic.detail}</p> : null}
    </li>
  );
}

/** What a run's apply may have left that no state knows; nothing for one that was applied. */
function Left({ run, child }: { run: Run; child: Run }) {
  const ended = child.finished_at !== null && child.status !== "applied" && child.claimed_at !== null;
  const readable = useMay()("state:read") === null;
  const list = useQuery({ ...runRecoveryQuery(child.id), enabled: ended && readable }).data;
  if (!list || list.open_count === 0) return null;
  return (
    <div className="flex gap-2.5 border-b border-line bg-replace-bg px-5 py-2.5 text-13 max-sm:px-4">
      <TriangleAlert size={15} className="mt-[3px] shrink-0 text-replace" aria-hidden />
      <p><strong className="font-semibold">{leftWords(list.open_count)}.</strong> <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} search={{ tab: "state", left: "resources" }} className="link">Import blocks, and what to check</Link> before you plan again.</p>
    </div>
  );
}

/** Why the run is where it is, when that needs saying: what failed, what is safe, what to do. */
export function RunNotices({ run, child }: { run: Run; child: Run | undefined }) {
  const apply = run.kind === "apply" ? run : child;
  return <>{apply ? <Left run={run} child={apply} /> : null}<Why run={run} child={child} /></>;
}

function Why({ run, child }: { run: Run; child: Run | undefined }) {
  const failure = child?.failure ?? run.failure;
  const kept = child?.state_version ?? run.state_version;
  const applied = child !== undefined;
  if (failure && (run.status === "errored" || child?.status === "errored")) {
    return (
      <Notice tone="destroy">
        <p role="alert"><strong className="font-semibold">{applied ? "The apply" : "The plan"} errored while {phaseWord(failure.phase).toLowerCase()}.</strong> {saidBelow(failure) ? null : failure.message}</p>
        {failure.diagnostics.length > 0 ? <ul className="mt-0.5">{failure.diagnostics.slice(0, 5).map((each, i) => <DiagnosticText key={i} diagnostic={each} />)}</ul> : null}
        <p className="mt-1 text-12 text-ink-2">
          {applied ? (kept ? `The state is kept as version ${kept.number}, serial ${kept.serial}. ` : "The state is as it was. ") : "Nothing was changed. "}
          Plan again to go on.
        </p>
      </Notice>
    );
  }
  const waiting = child?.status === "queued" ? child : run;
  if (tellsPlace(waiting)) return <Notice tone="wait"><p role="status"><PlaceText run={waiting} /></p></Notice>;
  if (run.halted || child?.halted) return <Notice tone="destroy"><p><strong className="font-semibold">Stopped by a halt.</strong> {run.status_reason ?? "Its process was ended; the state that was written is kept."}</p></Notice>;
  if (run.status === "policy_blocked") return <Blocked run={run} />;
  const standing = standingOverride(run);
  if (standing && (run.status === "awaiting_approval" || run.status === "approved")) return <Notice tone="wait"><Overridden override={standing} /></Notice>;
  if (run.status_reason && ["superseded", "cancelled", "discarded"].includes(run.status)) {
    return <Notice tone="read"><p>{sentence(run.status_reason)}</p></Notice>;
  }
  if (run.status === "awaiting_approval" && run.fingerprint && !run.fingerprint.is_current) return <Notice tone="wait"><p>What this plan was made from has moved. It can&apos;t be approved any more. Plan again.</p></Notice>;
  return null;
}

/** The engine's own words are the failure's message in one line; its diagnostics say them in order, with their resource. */
function saidBelow({ message, diagnostics }: NonNullable<Run["failure"]>): boolean {
  return diagnostics.some(({ summary = "" }) => summary !== "" && message.includes(summary));
}

/** What blocks, and what can be done about it: by whom. */
function Blocked({ run }: { run: Run }) {
  const checks = blocking(run);
  const soft = run.verdict === "blocked_soft";
  const broken = checks.some((check) => check.outcome === "error");
  const you = run.approvals_detail?.you;
  const ended = run.overrides.at(-1);
  return (
    <Notice tone="destroy">
      <p><strong className="font-semibold">{checks.length === 0 ? "Blocked by policy." : `Blocked by ${listed(checks.map((check) => setName(check.policy_set_uri)))}.`}</strong> {run.status_reason ? sentence(run.status_reason) : null}</p>
      <p className="mt-0.5 text-12 text-ink-2">
        {soft ? "Change what it finds and plan again, or a second person overrides it with a reason." : broken ? "What can't be evaluated blocks, and can't be overridden. Mend the policy set or the engine, and plan again." : "It is hard-mandatory: nobody can override it. Change what it finds and plan again."}
        {soft && you && !you.may_override && you.why_not_override ? ` You can't: ${you.why_not_override}` : ""}
        {ended?.ended_at ? ` The override of ${ended.actor.name} has ended: ${ended.end_reason ?? "it counts no more."}` : ""}
      </p>
    </Notice>
  );
}

function Overridden({ override }: { override: Override }) {
  const now = useNow(1_000);
  const left = Date.parse(override.expires_at) - now;
  return <p><strong className="font-semibold">Policies deny this plan; {override.actor.name} overrode them.</strong> “{override.reason}” Ends {hourMinute(override.expires_at, now)}{left > 0 ? <>, <span className="tnum">{span(left)}</span> left</> : null}. It is never applied by itself.</p>;
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
