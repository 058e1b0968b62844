import { Ago } from "@/components/domain/ago";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { GitCompare } from "lucide-react";
import { useMemo, useState } from "react";
import { Empty, FactCell, FactStrip, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/kbd";
import { BackendCard } from "@/features/state/backend/backend-card";
import { ImportButton, ImportDialog } from "@/features/state/import/import-dialog";
import { LockCard } from "@/features/state/lock/lock-card";
import { QuarantineCard } from "@/features/state/quarantine/quarantine-card";
import { RecoveryCard } from "@/features/state/recovery/recovery-card";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { stateHistoryQuery } from "@/lib/api/state";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { bytes, count, moment, shortId } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { kindWords, shortLineage } from "@/lib/state-words";
import { RetentionCard } from "./retention-card";
import { SharingCard } from "./sharing-card";
import { VersionsTable } from "./versions-table";

/** Every state that was kept, newest first; the lock, the quarantine and the retention beside. */
export function History({ workspace }: { workspace: Workspace }) {
  const pages = useInfiniteQuery(stateHistoryQuery(workspace.id));
  const versions = useMemo(() => pages.data?.pages.flatMap((page) => page.items) ?? [], [pages.data]);
  const current = versions[0];
  const [importing, setImporting] = useState(false);
  return (
    <div className="flex h-full max-lg:flex-col max-lg:overflow-auto">
      <div className="flex min-w-0 grow flex-col max-lg:shrink-0">
        {pages.isPending ? <Skeleton rows={10} /> : null}
        {pages.error && !pages.data ? <Empty title="The state versions could not be read."><p role="alert">{explain(pages.error)}</p></Empty> : null}
        {pages.data && !current ? <Empty title="No state yet.">State version 1 is stored by the first apply. What is at work already can be brought in with its state.<br /><ImportButton workspace={workspace} onOpen={() => setImporting(true)} /></Empty> : null}
        {current ? (
          <>
            <CurrentStrip version={current} />
            <Versions workspace={workspace} versions={versions} more={pages.hasNextPage ? () => void pages.fetchNextPage() : null} busy={pages.isFetchingNextPage} />
          </>
        ) : null}
      </div>
      <aside aria-label="About the state" tabIndex={0} className="inset-focus w-[372px] shrink-0 overflow-auto border-l border-line max-lg:w-full max-lg:border-t max-lg:border-l-0">
        <LockCard workspace={workspace} />
        <RecoveryCard workspace={workspace} />
        <QuarantineCard workspace={workspace} />
        <RetentionCard workspace={workspace} />
        <BackendCard workspace={workspace} />
        <SharingCard workspace={workspace} />
      </aside>
      <ImportDialog workspace={workspace} open={importing} onClose={() => setImporting(false)} />
    </div>
  );
}

/** What the newest version says of itself. */
function CurrentStrip({ version }: { version: StateVersion }) {
  const now = useNow();
  return (
    <FactStrip>
      <FactCell label="Current"><span className="font-medium">Version {version.number}</span> <span className="text-ink-3">{kindWords(version)}</span></FactCell>
      <FactCell label="Serial"><span className="tnum">{version.serial}</span></FactCell>
      <FactCell label="Lineage"><span className="font-mono" title={version.lineage}>{shortLineage(version.lineage)}</span></FactCell>
      <FactCell label="Resources"><span className="tnum">{count(version.resource_count)}</span></FactCell>
      <FactCell label="Size">{bytes(version.size_bytes)}</FactCell>
      <FactCell label="Written by">
        {version.created_by.name}
        {version.run_id ? <> <Link to="/infra/terraform/runs/$id" params={{ id: version.run_id }} className="font-mono text-ink-2 hover:underline">{shortId(version.run_id)}</Link></> : null}
      </FactCell>
      <FactCell label="Kept">{moment(version.created_at, now)} <span className="text-ink-3"><Ago iso={version.created_at} now={now} suffix=" ago" /></span></FactCell>
    </FactStrip>
  );
}

function Versions({ workspace, versions, more, busy }: { workspace: Workspace; versions: readonly StateVersion[]; more: (() => void) | null; busy: boolean }) {
  const navigate = useNavigate();
  const [picked, setPicked] = useState<readonly string[]>([]);
  const [at, setAt] = useState(0);
  const here = versions[Math.min(at, versions.length - 1)];
  const toggle = (id: string) => setPicked(picked.includes(id) ? picked.filter((each) => each !== id) : [...picked, id].slice(-2));
  const pair = pairOf(versions, picked);
  const compare = () => {
    if (pair) void navigate(stateLink(workspace.id, { a: pair[0].id, b: pair[1].id }));
  };
  useKeys({
    j: () => setAt(Math.min(at + 1, versions.length - 1)), arrowdown: () => setAt(Math.min(at + 1, versions.length - 1)),
    k: () => setAt(Math.max(at - 1, 0)), arrowup: () => setAt(Math.max(at - 1, 0)),
    x: () => { if (here) toggle(here.id); },
    c: compare,
    enter: () => { if (here) void navigate(stateLink(workspace.id, { version: here.id })); },
  });
  return (
    <>
      <div className="flex min-h-10 shrink-0 items-center gap-3 border-b border-line px-5 py-1.5 max-sm:px-4">
        <h2 className="text-13 font-semibold">Versions</h2>
        <span role="status" className="min-w-0 truncate text-12 text-ink-2">{pair && picked.length === 2 ? `${pair[0].number} and ${pair[1].number} chosen` : picked.length === 1 ? "choose one more to compare" : null}</span>
        <Button size={26} className="ml-auto" icon={<GitCompare size={13} />} keys="C" blocked={pair ? null : versions.length < 2 ? "There is only one version" : "Choose two versions"} onClick={compare}>{pair && picked.length === 2 ? `Compare ${pair[0].number} and ${pair[1].number}` : "Compare with the one before"}</Button>
      </div>
      <div className="min-h-0 grow overflow-auto">
        <VersionsTable workspace={workspace.id} versions={versions} picked={picked} onToggle={toggle} current={here?.id} onFocus={(id) => setAt(versions.findIndex((each) => each.id === id))} />
        {more ? <div className="px-5 py-3"><Button disabled={busy} onClick={more}>Show older versions</Button></div> : null}
      </div>
      <footer className="flex h-7 shrink-0 items-center gap-5 border-t border-line bg-canvas px-5 text-12 text-ink-2 max-lg:hidden">
        <span>{count(versions.length)} of {count(versions[0]?.number ?? 0)}</span>
        <span className="flex items-center gap-1.5"><Kbd>J K</Kbd> move</span>
        <span className="flex items-center gap-1.5"><Kbd>↵</Kbd> open</span>
        <span className="flex items-center gap-1.5"><Kbd>X</Kbd> choose</span>
        <span className="flex items-center gap-1.5"><Kbd>C</Kbd> compare</span>
      </footer>
    </>
  );
}

/** The two that were chosen, older first; without a choice the newest and the one before it. */
function pairOf(versions: readonly StateVersion[], picked: readonly string[]): [StateVersion, StateVersion] | null {
  const chosen = picked.length === 0 ? versions.slice(0, 2) : versions.filter((each) => picked.includes(each.id));
  const [newer, older] = [...chosen].sort((a, b) => b.number - a.number);
  return older && newer ? [older, newer] : null;
}
