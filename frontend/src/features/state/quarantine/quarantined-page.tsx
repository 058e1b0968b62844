import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { useMemo, useState } from "react";
import { Empty, FactCell, FactStrip, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { ReasonDialog, type ReasonAsk } from "@/components/ui/reason-dialog";
import { StateChanges } from "@/features/state/compare/changes";
import { DownloadLink } from "@/features/state/components/version-page";
import { stateLink } from "@/features/state/search";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import { discardQuarantined, quarantineDiffQuery, quarantineDownloadPath, quarantinedQuery } from "@/lib/api/state";
import type { QuarantinedState, StateVersion, Workspace } from "@/lib/api/types";
import { currentStateQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";
import { bytes, moment, shortDigest, shortId } from "@/lib/format";
import { refusalWords, shortLineage } from "@/lib/state-words";
import { AdoptDialog } from "./adopt-dialog";
import { QuarantineStatusTag } from "./status-tag";

/** One refused state: why, what would differ if it became the current one, and the decision. */
export function QuarantinedPage({ workspace, id }: { workspace: Workspace; id: string }) {
  const held = useQuery(quarantinedQuery(id));
  const current = useQuery(currentStateQuery(workspace.id));
  if (held.error && !held.data) return <Empty title="There is no such quarantined state."><p role="alert">{explain(held.error)}</p></Empty>;
  if (!held.data || current.data === undefined) return <Skeleton rows={8} />;
  return <Page workspace={workspace} state={held.data} current={current.data} />;
}

function Page({ workspace, state, current }: { workspace: Workspace; state: QuarantinedState; current: StateVersion | null }) {
  const now = useNow();
  const blocked = useMay()("state:write");
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const [ask, setAsk] = useState<ReasonAsk | null>(null);
  const [adopting, setAdopting] = useState(false);
  const settle = () => Promise.all([keys.quarantine, keys.workspace(workspace.id), keys.workspaces, keys.runs, keys.inbox].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
  const discard = useMutation({ mutationFn: (reason: string) => discardQuarantined(state.id, reason), onSuccess: settle });
  const askDiscard = () => {
    discard.reset();
    setAsk({ title: "Discard this state", description: "Lets go of its content for good. What is said about it, and your reason, stay.", label: "Why (kept in the audit trail)", required: true, confirm: "Discard it", danger: true, act: (reason) => discard.mutateAsync(reason) });
  };
  const open = state.status === "held";
  // A first apply that never reached its backend leaves a state without lineage: it gets one.
  const foreign = current !== null && Boolean(state.lineage) && state.lineage !== current.lineage;
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line px-5 py-1.5 max-sm:px-4">
        <Link {...stateLink(workspace.id, { held: "quarantine" })} className="inline-flex h-6 items-center gap-1 text-12 text-ink-2 hover:text-ink"><ChevronLeft size={14} aria-hidden />Quarantine</Link>
        <h2 className="text-13 font-semibold">{state.serial === null ? "Unreadable state" : `State of serial ${state.serial}`}</h2>
        <QuarantineStatusTag status={state.status} />
        {open ? (
          <div className="ml-auto flex items-center gap-2 max-sm:ml-0 max-sm:flex-wrap">
            <DownloadLink href={quarantineDownloadPath(state.id)} />
            <Button size={26} blocked={blocked} onClick={askDiscard}>Discard…</Button>
            <Button size={26} look="primary" blocked={blocked ?? (state.serial === null ? "It is no whole state: download it to see what can be saved" : null)} onClick={() => setAdopting(true)}>Make it current…</Button>
          </div>
        ) : null}
      </header>
      <FactStrip>
        <FactCell label="Why it is here"><span className="font-medium">{refusalWords(state)}</span></FactCell>
        <FactCell label="Serial">{state.serial ?? "not known"}{current ? <span className="text-ink-3"> the current is {current.serial}</span> : null}</FactCell>
        <FactCell label="Lineage">{state.lineage ? <span className="font-mono" title={state.lineage}>{shortLineage(state.lineage)}</span> : "not known"} <span className={foreign ? "text-replace" : "text-ink-3"}>{foreign ? "another than the workspace's" : current && state.lineage ? "the workspace's" : ""}</span></FactCell>
        <FactCell label="Sent by">{state.run_id ? <Link to="/infra/terraform/runs/$id" params={{ id: state.run_id }} className="link font-mono">{shortId(state.run_id)}</Link> : state.created_by.name}</FactCell>
        <FactCell label="Size">{bytes(state.size_bytes)}</FactCell>
        <FactCell label="Digest"><span className="font-mono" title={state.digest}>{shortDigest(state.digest)}</span></FactCell>
        <FactCell label="Came">{moment(state.created_at, now)}</FactCell>
      </FactStrip>
      <p className="shrink-0 border-b border-line px-5 py-2 text-12 text-ink-2 max-sm:px-4">{state.reason}</p>
      {open ? <Compared state={state} current={current} /> : <Decided workspace={workspace} state={state} />}
      <ReasonDialog ask={ask} onClose={() => setAsk(null)} error={discard.error ? explain(discard.error) : null} />
      <AdoptDialog
        workspace={workspace}
        state={adopting ? state : null}
        current={current}
        onClose={() => setAdopting(false)}
        onDone={async (version) => {
          await settle();
          await navigate(stateLink(workspace.id, { version: version.id }));
        }}
      />
    </div>
  );
}

function Compared({ state, current }: { state: QuarantinedState; current: StateVersion | null }) {
  const pages = useInfiniteQuery({ ...quarantineDiffQuery(state.id, current?.id ?? null), enabled: state.serial !== null });
  const [first] = pages.data?.pages ?? [];
  const difference = useMemo(() => (first ? { added: first.added, removed: first.removed, changed: first.changed, outputs: first.outputs, items: pages.data?.pages.flatMap((page) => page.items) ?? [] } : null), [first, pages.data]);
  if (state.serial === null) return <Empty title="It can't be compared.">It is no whole state of format 4: it may have been cut short on its way. Download it to see what can be saved, or discard it.</Empty>;
  if (pages.error) return <Empty title="It could not be compared."><p role="alert">{pages.error instanceof ApiError && pages.error.code === "state_version_pruned" ? "The content of the current version is no longer kept." : explain(pages.error)}</p></Empty>;
  if (!difference) return <Skeleton rows={8} height={28} label="Comparing" />;
  return (
    <>
      <h3 className="shrink-0 border-b border-line bg-canvas px-4 py-1.5 text-12 font-semibold">If it became the current state <span className="ml-1 font-normal text-ink-2">{current ? `in place of version ${current.number}, serial ${current.serial}` : "the first of this workspace"}; no infrastructure is touched</span></h3>
      <StateChanges difference={difference} more={pages.hasNextPage ? { load: () => void pages.fetchNextPage(), busy: pages.isFetchingNextPage } : null} label="What would differ" />
    </>
  );
}

function Decided({ workspace, state }: { workspace: Workspace; state: QuarantinedState }) {
  const now = useNow();
  return (
    <Empty title={state.status === "adopted" ? "It was made the current state." : "It was discarded."}>
      <p>{state.decided_by?.name}, {state.decided_at ? moment(state.decided_at, now) : ""}: “{state.decision_reason}”</p>
      {state.state_version_id ? <p className="mt-1"><Link {...stateLink(workspace.id, { version: state.state_version_id })} className="link">The state version that it became</Link></p> : <p className="mt-1">Its content is no longer kept.</p>}
    </Empty>
  );
}
