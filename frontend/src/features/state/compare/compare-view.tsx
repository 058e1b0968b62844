import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeftRight, ArrowRight, ChevronLeft, Info } from "lucide-react";
import { useMemo } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { IconButton } from "@/components/ui/button";
import { RollbackButton } from "@/features/state/rollback/rollback-button";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { stateDiffQuery, stateHistoryQuery } from "@/lib/api/state";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment } from "@/lib/format";
import { kindWords } from "@/lib/state-words";
import { StateChanges } from "./changes";

/** Two versions beside each other: what the second holds that the first does not, and the other way round. */
export function CompareView({ workspace, a, b }: { workspace: Workspace; a: string; b: string }) {
  const navigate = useNavigate();
  const history = useInfiniteQuery(stateHistoryQuery(workspace.id));
  const pages = useInfiniteQuery(stateDiffQuery(a, b));
  const first = pages.data?.pages[0];
  const listed = useMemo(() => history.data?.pages.flatMap((page) => page.items) ?? [], [history.data]);
  const versions = useMemo(() => withSides(listed, [first?.before, first?.after]), [listed, first]);
  const difference = useMemo(() => (first ? { added: first.added, removed: first.removed, changed: first.changed, outputs: first.outputs, items: pages.data?.pages.flatMap((page) => page.items) ?? [] } : null), [first, pages.data]);
  const go = (next: { a?: string; b?: string }) => void navigate(stateLink(workspace.id, { a, b, ...next }));
  const [newest] = listed;
  // With the current version on one side, the other is what it could be rolled back to.
  const other = newest?.id === b ? a : newest?.id === a ? b : null;
  const older = versions.find((each) => each.id === other && each.id !== newest?.id);
  const foreign = first?.before && first.before.lineage !== first.after.lineage;
  return (
    <div className="flex h-full">
      <nav aria-label="Versions" className="w-[264px] shrink-0 overflow-auto border-r border-line max-lg:hidden">
        <div className="flex h-10 items-center justify-between border-b border-line px-4 text-12">
          <Link {...stateLink(workspace.id)} className="inline-flex h-6 items-center gap-1 text-ink-2 hover:text-ink"><ChevronLeft size={14} aria-hidden />Versions</Link>
          <span className="text-ink-3">A with B</span>
        </div>
        <ul>{versions.map((version) => <li key={version.id}><VersionRow version={version} mark={version.id === a ? "A" : version.id === b ? "B" : null} disabled={version.pruned_at !== null} onA={() => go({ a: version.id })} onB={() => go({ b: version.id })} /></li>)}</ul>
      </nav>
      <div className="flex min-w-0 grow flex-col">
        <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-2 border-b border-line px-4 py-1.5">
          <Link {...stateLink(workspace.id)} className="inline-flex h-6 items-center gap-1 text-12 text-ink-2 hover:text-ink max-sm:w-full lg:hidden"><ChevronLeft size={14} aria-hidden />Versions</Link>
          <Pick label="A" value={a} versions={versions} onPick={(id) => go({ a: id })} />
          <ArrowRight size={14} className="text-ink-3" aria-hidden />
          <Pick label="B" value={b} versions={versions} onPick={(id) => go({ b: id })} />
          <IconButton label="Swap A and B" onClick={() => go({ a: b, b: a })}><ArrowLeftRight size={14} /></IconButton>
          <span className="min-w-0 truncate text-12 text-ink-3 max-sm:hidden">{first ? `from version ${first.before?.number ?? "none"} to ${first.after.number}` : ""}</span>
          {older && newest ? <span className="ml-auto max-sm:ml-0"><RollbackButton key={older.id} workspace={workspace} version={older} newest={newest} /></span> : null}
        </div>
        {foreign ? <p className="flex shrink-0 items-center gap-2 border-b border-line bg-wait-bg px-4 py-1.5 text-12 text-wait"><Info size={13} className="shrink-0" aria-hidden />They are of different lineages: each began as a state of its own.</p> : null}
        {pages.isPending ? <Skeleton rows={10} height={28} label="Comparing" /> : null}
        {pages.error && !difference ? <Empty title="They could not be compared."><p role="alert">{explain(pages.error)}</p></Empty> : null}
        {difference ? <StateChanges key={`${a}-${b}`} difference={difference} more={pages.hasNextPage ? { load: () => void pages.fetchNextPage(), busy: pages.isFetchingNextPage } : null} label="Differences" /> : null}
      </div>
    </div>
  );
}

/** The listed versions, and the two sides when they are older than what is listed. */
function withSides(listed: readonly StateVersion[], sides: readonly (StateVersion | null | undefined)[]): StateVersion[] {
  const extra = sides.filter((side): side is StateVersion => Boolean(side) && !listed.some((each) => each.id === side?.id));
  return [...listed, ...new Map(extra.map((side) => [side.id, side])).values()].sort((x, y) => y.number - x.number);
}

function Pick({ label, value, versions, onPick }: { label: string; value: string; versions: readonly StateVersion[]; onPick: (id: string) => void }) {
  return (
    <label className="inline-flex h-7 items-center gap-2 rounded-ctl border border-line-2 pl-1.5 text-13 focus-within:border-focus max-sm:h-11 max-sm:min-w-0 max-sm:grow">
      <Mark letter={label} />
      <span className="sr-only">Version {label}</span>
      <select value={value} onChange={(event) => onPick(event.target.value)} className="h-full min-w-0 rounded-ctl bg-surface pr-1 font-medium max-sm:grow">
        {versions.map((version) => <option key={version.id} value={version.id} disabled={version.pruned_at !== null}>{version.number}, serial {version.serial}</option>)}
      </select>
    </label>
  );
}

function Mark({ letter }: { letter: string }) {
  return <span className="flex size-4 shrink-0 items-center justify-center rounded-chip bg-primary text-[10px] font-semibold text-on-primary" aria-hidden>{letter}</span>;
}

function VersionRow({ version, mark, disabled, onA, onB }: { version: StateVersion; mark: "A" | "B" | null; disabled: boolean; onA: () => void; onB: () => void }) {
  const now = useNow();
  const set = (letter: "A" | "B", act: () => void) => (
    <button type="button" aria-pressed={mark === letter} aria-label={`Compare version ${version.number} as ${letter}`} onClick={act} className={cx("inset-focus flex size-6 items-center justify-center rounded-chip text-11 font-semibold", mark === letter ? "bg-primary text-on-primary" : "border border-line-2 text-ink-2 hover:bg-hover")}>{letter}</button>
  );
  return (
    <div className={cx("flex min-h-12 items-center gap-2.5 border-b border-line px-4", mark && "bg-selected")}>
      <span className="tnum w-8 shrink-0 text-13 font-semibold">{version.number}</span>
      <span className="min-w-0 grow">
        <span className="block truncate text-12">serial {version.serial}, {kindWords(version)}</span>
        <span className="block truncate text-12 text-ink-2">{version.created_by.name}, {moment(version.created_at, now)}</span>
      </span>
      {disabled ? <span className="text-11 text-ink-3">let go</span> : <span className="flex gap-1">{set("A", onA)}{set("B", onB)}</span>}
    </div>
  );
}
