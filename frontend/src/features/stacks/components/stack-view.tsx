import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { StatusText } from "@/components/domain/status";
import { Empty, Fact, SectionHead } from "@/components/ui/bits";
import { LinkTabs } from "@/components/ui/tabs";
import { pinnedQuery, stackQuery, versionsQuery } from "@/features/stacks/api/stacks";
import type { StackSearch } from "@/features/stacks/search";
import type { SpecVersion, WorkspaceRow } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment, plural, shortDigest } from "@/lib/format";
import { Compare } from "./compare";
import { DocumentView } from "./document";

const nameOf = (version: SpecVersion) => (version.number ? `v${version.number}` : shortDigest(version.hash));

/** One stack: its versions at the left, a comparison or a document, and who stands on what at the right. */
export function StackView({ id, search }: { id: string; search: StackSearch }) {
  const stack = useSuspenseQuery(stackQuery(id)).data;
  const versions = useSuspenseQuery(versionsQuery(id)).data.items;
  const workspaces = useQuery(pinnedQuery(stack.id)).data?.items ?? [];
  const byNumber = (text: string | undefined) => versions.find((version) => String(version.number) === text || version.id === text);
  const b = byNumber(search.b) ?? versions[0];
  const a = byNumber(search.a) ?? versions[versions.findIndex((version) => version === b) + 1];
  const tab = search.tab ?? (a ? "compare" : "spec");
  const link = (part: StackSearch) => ({ to: "/infra/terraform/stacks/$id" as const, params: { id }, search: { ...(search.tab ? { tab: search.tab } : {}), ...(a ? { a: String(a.number ?? a.id) } : {}), ...(b ? { b: String(b.number ?? b.id) } : {}), ...part } });
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-12 shrink-0 items-center gap-3 px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">{stack.name}</h1>
        <span className="truncate text-13 text-ink-3">stack, {plural(versions.length, "version")}, {plural(stack.workspace_count, "workspace")}{stack.description ? `. ${stack.description}` : ""}</span>
      </header>
      <div className="shrink-0 border-b border-line px-5 max-sm:px-4">
        <LinkTabs label="Parts of the stack" items={[{ id: "compare", label: "Compare" }, { id: "spec", label: "Spec" }, { id: "workspaces", label: "Workspaces", count: stack.workspace_count }]} current={tab} linkFor={(next) => link({ tab: next })} />
      </div>
      {!b ? (
        <Empty title="No version was pushed yet.">Push one with <code>sluice stack push</code>. Runs of an uploaded directory carry a spec version of their own.</Empty>
      ) : (
        <div className="flex min-h-0 grow">
          <nav aria-label="Versions" className="w-[264px] shrink-0 overflow-auto border-r border-line max-md:hidden">
            <h2 className="flex h-9 items-center border-b border-line px-4 text-12 text-ink-2">Versions</h2>
            <ul>
              {versions.map((version) => (
                <li key={version.id}>
                  <VersionRow version={version} mark={version === b ? (tab === "compare" && a ? "B" : "") : version === a && tab === "compare" ? "A" : null} pinned={workspaces.filter((each) => each.head?.id === version.id).length} to={link({ b: String(version.number ?? version.id), ...(a && version.number !== null && a.number !== null && version.number <= a.number ? { a: String(version.number - 1) } : {}) })} />
                </li>
              ))}
            </ul>
          </nav>
          <div className="min-w-0 grow overflow-auto" tabIndex={0} role="group" aria-label={tab === "compare" ? "Comparison" : "Spec"}>
            {tab === "workspaces" ? <Standing workspaces={workspaces} newest={versions[0]} /> : tab === "compare" && a ? <Compare a={a} b={b} versions={versions} link={(part) => link(part)} /> : tab === "compare" ? <Empty title="Only one version.">There is nothing yet to compare it with.</Empty> : <DocumentView version={b} />}
          </div>
          <aside aria-label="About the stack" className="w-[300px] shrink-0 overflow-auto border-l border-line max-lg:hidden">
            <h2 className="flex h-9 items-center justify-between border-b border-line px-4 text-12 font-semibold">Workspaces <span className="font-normal text-ink-3">{workspaces.length}</span></h2>
            <Standing workspaces={workspaces} newest={versions[0]} />
            <section className="px-4 py-3">
              <SectionHead title={nameOf(b)} />
              <VersionFacts version={b} />
              <p className="mt-2 text-12 text-ink-3">A version never changes. The same content always has this hash.</p>
            </section>
          </aside>
        </div>
      )}
    </main>
  );
}

function VersionFacts({ version }: { version: SpecVersion }) {
  const now = useNow();
  return (
    <dl>
      <Fact label="Hash"><span className="font-mono" title={version.hash}>{shortDigest(version.hash)}</span></Fact>
      <Fact label="Made by">{version.created_by.name}</Fact>
      <Fact label="When">{moment(version.created_at, now)}</Fact>
      <Fact label="Schema">{version.schema_version}</Fact>
    </dl>
  );
}

function VersionRow({ version, mark, pinned, to }: { version: SpecVersion; mark: string | null; pinned: number; to: { to: "/infra/terraform/stacks/$id"; params: { id: string }; search: StackSearch } }) {
  const now = useNow();
  return (
    <Link {...to} aria-current={mark === "B" || mark === "" ? "true" : undefined} className={cx("inset-focus flex min-h-12 items-center gap-2.5 border-b border-line px-3", mark !== null ? "bg-selected" : "hover:bg-hover")}>
      <span className={cx("flex size-4 shrink-0 items-center justify-center rounded-chip text-[10px] font-semibold", mark ? "bg-primary text-on-primary" : "hidden")} aria-hidden>{mark}</span>
      <span className="w-8 shrink-0 text-13 font-semibold">{nameOf(version)}</span>
      <span className="min-w-0 grow">
        <span className="block truncate text-13">{version.message || "No message"}</span>
        <span className="flex justify-between gap-2 text-12 text-ink-2"><span className="truncate">{version.created_by.name}, {moment(version.created_at, now)}</span>{pinned > 0 ? <span className="shrink-0">{pinned} here</span> : null}</span>
      </span>
    </Link>
  );
}

function Standing({ workspaces, newest }: { workspaces: readonly WorkspaceRow[]; newest: SpecVersion | undefined }) {
  if (workspaces.length === 0) return <p className="border-b border-line px-4 py-3 text-12 text-ink-2">No workspace joins this stack yet.</p>;
  return (
    <ul>
      {workspaces.map((row) => {
        const behind = newest?.number && row.head?.number ? newest.number - row.head.number : null;
        return (
          <li key={row.id} className="flex min-h-12 items-center justify-between gap-3 border-b border-line px-4">
            <span className="min-w-0">
              <Link to="/infra/terraform/workspaces/$id" params={{ id: row.id }} className="block truncate text-13 font-medium hover:underline">{row.name}</Link>
              {row.latest_run ? <StatusText className="text-12" status={row.latest_run.status} kind={row.latest_run.kind} phase={row.latest_run.phase} halted={row.latest_run.halted} /> : <span className="text-12 text-ink-3">no run yet</span>}
            </span>
            <span className="shrink-0 text-right text-12"><span className="block font-medium">{row.head?.number ? `v${row.head.number}` : ""}</span><span className="text-ink-3">{behind === null ? "" : behind === 0 ? "newest" : `${behind} behind`}</span></span>
          </li>
        );
      })}
    </ul>
  );
}
