import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft, Download, GitCompare } from "lucide-react";
import { Empty, FactCell, FactStrip, Skeleton, Tag } from "@/components/ui/bits";
import { LinkTabs } from "@/components/ui/tabs";
import { RollbackButton } from "@/features/state/rollback/rollback-button";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import { downloadPath, stateHistoryQuery, stateVersionQuery } from "@/lib/api/state";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { versionOutputsQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { bytes, count, moment, shortDigest, shortId } from "@/lib/format";
import { kindWords, shortLineage } from "@/lib/state-words";
import { VersionOutputs } from "./outputs";
import { ResourceBrowser } from "./resource-browser";

const LINK_BUTTON = "inline-flex h-[26px] shrink-0 items-center gap-1.5 rounded-ctl border border-line-2 bg-surface px-2.5 text-12 font-medium whitespace-nowrap hover:bg-hover max-sm:h-9";

/** One version: what it says of itself, what it holds, and what can be done with it. */
export function VersionPage({ workspace, id, part = "resources" }: { workspace: Workspace; id: string; part: string | undefined }) {
  const history = useInfiniteQuery(stateHistoryQuery(workspace.id));
  const listed = history.data?.pages.flatMap((page) => page.items) ?? [];
  const known = listed.find((each) => each.id === id);
  const alone = useQuery({ ...stateVersionQuery(id), enabled: history.data !== undefined && !known });
  const version = known ?? alone.data;
  if (!version) return alone.error ? <Empty title="There is no such state version here."><p role="alert">{explain(alone.error)}</p><Link {...stateLink(workspace.id)} className="link">All versions</Link></Empty> : <Skeleton rows={8} />;
  return <Page workspace={workspace} version={version} newest={listed[0]} previous={listed[listed.findIndex((each) => each.id === id) + 1]} part={part} />;
}

function Page({ workspace, version, newest, previous, part }: { workspace: Workspace; version: StateVersion; newest: StateVersion | undefined; previous: StateVersion | undefined; part: string }) {
  const now = useNow();
  const outputs = useQuery({ ...versionOutputsQuery(version.id), enabled: version.pruned_at === null }).data;
  const isCurrent = newest?.id === version.id;
  const pair = isCurrent ? (previous ? { a: previous.id, b: version.id, word: `Compare with ${previous.number}` } : null) : newest ? { a: version.id, b: newest.id, word: "Compare with the current" } : null;
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line px-5 py-1.5 max-sm:px-4">
        <Link {...stateLink(workspace.id)} className="inline-flex h-6 items-center gap-1 text-12 text-ink-2 hover:text-ink"><ChevronLeft size={14} aria-hidden />Versions</Link>
        <h2 className="text-13 font-semibold">State version {version.number}</h2>
        {isCurrent ? <Tag>current</Tag> : null}
        <span className={cx("text-12", version.kind === "errored" ? "text-replace" : "text-ink-2")}>{kindWords(version)}</span>
        <div className="ml-auto flex items-center gap-2 max-sm:ml-0 max-sm:flex-wrap">
          {pair && !version.pruned_at ? <Link {...stateLink(workspace.id, { a: pair.a, b: pair.b })} className={LINK_BUTTON}><GitCompare size={13} aria-hidden />{pair.word}</Link> : null}
          {isCurrent || !newest ? null : <RollbackButton workspace={workspace} version={version} newest={newest} />}
          {version.pruned_at ? null : <DownloadLink href={downloadPath(version.id)} />}
        </div>
      </header>
      <FactStrip>
        <FactCell label="Serial"><span className="tnum">{version.serial}</span></FactCell>
        <FactCell label="Lineage"><span className="font-mono" title={version.lineage}>{shortLineage(version.lineage)}</span></FactCell>
        <FactCell label="Size">{bytes(version.size_bytes)}</FactCell>
        <FactCell label="Written by">{version.created_by.name}</FactCell>
        <FactCell label="Run">{version.run_id ? <Link to="/infra/terraform/runs/$id" params={{ id: version.run_id }} className="link font-mono">{shortId(version.run_id)}</Link> : <span className="text-ink-2">by hand, no run</span>}</FactCell>
        <FactCell label="Engine">{version.engine_version || <span className="text-ink-3">not said</span>}</FactCell>
        <FactCell label="Digest"><span className="font-mono" title={version.digest}>{shortDigest(version.digest)}</span></FactCell>
        <FactCell label="Kept">{moment(version.created_at, now)}</FactCell>
      </FactStrip>
      {version.pruned_at ? (
        <Empty title="Its content is no longer kept.">Retention let go of it {moment(version.pruned_at, now)}. Serial, digest, who made it and in which run are still known.</Empty>
      ) : (
        <>
          <div className="shrink-0 border-b border-line px-5 max-sm:px-4">
            <LinkTabs
              label="Parts of the version"
              current={part}
              items={[{ id: "resources", label: "Resources", count: count(version.resource_count) }, { id: "outputs", label: "Outputs", count: outputs?.length }]}
              linkFor={(next) => stateLink(workspace.id, { version: version.id, ...(next === "resources" ? {} : { part: next }) })}
            />
          </div>
          {part === "outputs" ? <div className="min-h-0 grow overflow-auto"><VersionOutputs version={version.id} /></div> : <div className="min-h-0 grow max-sm:min-h-[60vh]"><ResourceBrowser version={version.id} /></div>}
        </>
      )}
    </div>
  );
}

/** The state as the engine wrote it. Said before the press: it holds secrets, and the reading is audited. */
export function DownloadLink({ href }: { href: string }) {
  const blocked = useMay()("state:download");
  const about = "The state as the engine wrote it, secrets included. Each download is audited.";
  if (blocked) return <span role="link" aria-disabled tabIndex={0} title={blocked} className={cx(LINK_BUTTON, "!border-line !bg-sunken text-ink-3")}><Download size={13} aria-hidden />Download</span>;
  return <a href={href} download title={about} className={LINK_BUTTON}><Download size={13} aria-hidden />Download</a>;
}
