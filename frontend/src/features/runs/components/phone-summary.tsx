import { Link } from "@tanstack/react-router";
import { ChevronRight, Database, Fingerprint as FingerprintIcon, ScrollText, ShieldCheck, ShieldX, Users } from "lucide-react";
import type { ReactNode } from "react";
import { Address } from "@/components/domain/address";
import { ACTION_TEXT } from "@/components/domain/counts";
import { useWording } from "@/components/domain/wording";
import { Checkbox } from "@/components/ui/field";
import type { RunData } from "@/features/runs/hooks/use-run-data";
import { actionLook } from "@/lib/actions";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { hourMinute, moment } from "@/lib/format";
import type { ResourceNode } from "@/lib/plan/tree";
import type { ChangeView } from "@/components/changes/use-change-view";
import { latestChecks } from "@/lib/plan/blocking";

function Row({ id, tab, icon, children }: { id: string; tab: string; icon: ReactNode; children: ReactNode }) {
  return (
    <Link to="/infra/terraform/runs/$id" params={{ id }} search={{ tab }} className="inset-focus flex min-h-[42px] items-center gap-3 border-b border-line px-4 text-13">
      <span className="shrink-0 text-ink-2">{icon}</span>
      <span className="min-w-0 grow truncate">{children}</span>
      <ChevronRight size={15} className="shrink-0 text-ink-3" aria-hidden />
    </Link>
  );
}

function Change({ node, view, markable }: { node: ResourceNode; view: ChangeView; markable: boolean }) {
  const look = actionLook(node.action, useWording());
  return (
    <li className="flex min-h-[46px] items-center gap-3 border-b border-line py-1 pr-4 pl-2">
      <span className={cx("w-8 shrink-0 text-right font-mono text-12 font-semibold", ACTION_TEXT[look.tone])} aria-hidden>{look.sign}</span>
      <span className="min-w-0 grow">
        <Address address={node.resource.address} className="max-w-full" />
        <span className="block truncate text-12 text-ink-2"><span className={ACTION_TEXT[look.tone]}>{look.word}</span> {node.note}</span>
      </span>
      {node.destructive && markable ? (
        <Checkbox hideLabel label={`Seen: ${node.resource.address}`} checked={view.seen.has(node.resource.address)} onChange={(event) => view.seen.set(node.resource.address, event.target.checked)} className="-m-3 p-3" />
      ) : null}
    </li>
  );
}

/** The run on a phone: the same order, one column; each line opens its whole. */
export function PhoneSummary({ data, view, markable }: { data: RunData; view: ChangeView; markable: boolean }) {
  const now = useNow();
  const { run, child, destructive, tree } = data;
  const all = tree.flatMap((module) => module.resources);
  const listedNodes = destructive.length > 0 ? destructive : all.slice(0, 8);
  const checks = latestChecks(run.policy_checks);
  const failed = checks.filter((check) => check.outcome !== "passed");
  const detail = run.approvals_detail;
  const version = child?.state_version ?? run.state_version;
  return (
    <div className="min-h-0 grow overflow-auto pb-4">
      {version ? <Row id={run.id} tab="outputs" icon={<Database size={16} className="text-create" />}>State version {version.number}, <span className="text-ink-2">serial {version.serial}; outputs</span></Row> : null}
      {child ? <Row id={run.id} tab="apply" icon={<ScrollText size={16} />}>Apply <span className="text-ink-2">by resource, with its log</span></Row> : null}
      {listedNodes.length > 0 ? (
        <>
          <div className="flex h-8 items-center justify-between border-b border-line bg-canvas px-4 text-12">
            <span><span className="font-semibold">{destructive.length > 0 ? "Destructive changes" : "Changes"}</span>{destructive.length > 0 && markable ? <span className="ml-2 text-ink-2">{destructive.length - view.unseen.length} of {destructive.length} seen</span> : null}</span>
            <Link to="/infra/terraform/runs/$id" params={{ id: run.id }} search={{ tab: "changes" }} className="flex h-8 items-center gap-1 text-ink-2">All {all.length}<ChevronRight size={14} aria-hidden /></Link>
          </div>
          <ul>{listedNodes.map((node) => <Change key={node.resource.address} node={node} view={view} markable={markable} />)}</ul>
        </>
      ) : null}
      {checks.length > 0 ? (
        <Row id={run.id} tab="policies" icon={failed.length > 0 ? <ShieldX size={16} className="text-destroy" /> : <ShieldCheck size={16} className="text-create" />}>
          {failed.length > 0 ? `${failed.length} ${failed[0]?.enforcement_level ?? ""} failed` : "Policies passed"} <span className="text-ink-2">of {checks.length}</span>
        </Row>
      ) : null}
      {detail ? (
        <Row id={run.id} tab="timeline" icon={<Users size={16} />}>
          {detail.have} of {detail.need} approved <span className="text-ink-2">{detail.decisions.filter((each) => each.decision === "approve" && !each.voided_at).map((each) => `${each.actor.name} ${moment(each.created_at, now)}`).join(", ")}</span>
        </Row>
      ) : null}
      {run.fingerprint ? (
        <Row id={run.id} tab="fingerprint" icon={<FingerprintIcon size={16} />}>
          {run.fingerprint.is_current ? "Fingerprint same" : "Fingerprint moved"}{run.fingerprint.expires_at ? <span className="text-ink-2">, superseded at {hourMinute(run.fingerprint.expires_at, now)}</span> : null}
        </Row>
      ) : null}
      <Row id={run.id} tab="log" icon={<ScrollText size={16} />}>Log of the plan</Row>
    </div>
  );
}
