import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useDeferredValue, useMemo, useRef } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/field";
import { Kbd } from "@/components/ui/kbd";
import { Menu, MenuChoice } from "@/components/ui/menu";
import { stacksQuery, workspacesQuery } from "@/features/workspaces/api/workspaces";
import { haltsQuery } from "@/lib/api/halts";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import type { WorkspaceRow } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { useKeys } from "@/lib/keys";
import { type RunStatus, statusLook } from "@/lib/run-status";
import { NewWorkspaceDialog } from "./new-dialog";
import { WorkspaceTable } from "./table";

interface ListSearch {
  q?: string;
  status?: string;
  tag?: string;
  stack?: string;
  create?: boolean;
}

const STATUSES: RunStatus[] = ["awaiting_approval", "policy_blocked", "errored", "running", "queued", "approved", "applied", "no_changes", "superseded", "discarded", "cancelled"];
const NEED: Record<string, number> = { awaiting_approval: 0, policy_blocked: 1, errored: 2, cancelled: 3, approved: 4, running: 4, queued: 5 };

/** What a person must do first comes first; the rest by age of its last run. */
function byNeed(a: WorkspaceRow, b: WorkspaceRow): number {
  const rank = (row: WorkspaceRow) => (row.lock?.is_orphaned ? 2 : row.latest_run?.status === "cancelled" && !row.latest_run.halted ? 9 : NEED[row.latest_run?.status ?? ""] ?? 9);
  return rank(a) - rank(b) || (b.latest_run?.created_at ?? "").localeCompare(a.latest_run?.created_at ?? "") || a.name.localeCompare(b.name);
}

function Filter({ label, value, options, onChange }: { label: string; value: string | undefined; options: { value: string; label: string }[]; onChange: (value: string | undefined) => void }) {
  const shown = options.find((option) => option.value === value)?.label ?? value ?? "any";
  return (
    <Menu
      align="start"
      label={label}
      trigger={<button type="button" className={cx("inline-flex h-7 shrink-0 items-center gap-1.5 rounded-ctl border px-2.5 text-12 hover:bg-hover", value ? "border-ctl bg-selected" : "border-line-2")}><span className="text-ink-2">{label}</span><span className="font-medium">{shown}</span></button>}
    >
      <div className="max-h-72 overflow-auto">
        <MenuChoice value={value ?? ""} onChange={(next) => onChange(next || undefined)} options={[{ value: "", label: "any" }, ...options]} />
      </div>
    </Menu>
  );
}

export function WorkspacesView({ search, onSearch }: { search: ListSearch; onSearch: (next: ListSearch) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const needle = useDeferredValue(search.q ?? "");
  const list = useQuery(workspacesQuery({ search: needle, status: search.status, tag: search.tag, stack: search.stack }));
  const stacks = useQuery(stacksQuery).data?.items ?? [];
  const halts = useQuery(haltsQuery).data?.active ?? [];
  const mayCreate = useMay()("workspaces:write");
  const rows = useMemo(() => [...(list.data?.items ?? [])].sort(byNeed), [list.data]);
  const tags = useMemo(() => [...new Set([...rows.flatMap((row) => row.tags), ...(search.tag ? [search.tag] : [])])].sort(), [rows, search.tag]);
  const filtered = Boolean(search.q ?? search.status ?? search.tag ?? search.stack);
  useKeys({ "/": () => field.current?.focus() });
  const set = (part: Partial<ListSearch>) => {
    const next = { ...search, ...part };
    onSearch(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== "")));
  };
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 items-center gap-2 px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">Workspaces</h1>
        <span className="tnum text-13 text-ink-3">{list.data ? `${rows.length}${list.data.next_cursor ? "+" : ""}` : ""}</span>
        <Button look="primary" className="ml-auto" icon={<Plus size={14} />} blocked={mayCreate} onClick={() => set({ create: true })}>New workspace</Button>
      </header>
      <div className="flex shrink-0 items-center gap-2 overflow-x-auto border-b border-line px-5 pb-2.5 max-sm:flex-wrap max-sm:px-4">
        <SearchInput
          ref={field}
          label="Search workspaces"
          placeholder="Name or stack"
          keys="/"
          value={search.q ?? ""}
          onValue={(q) => set({ q })}
          onKeyDown={(event) => { if (event.key === "Escape") event.currentTarget.blur(); }}
          className="w-[264px] shrink-0 max-sm:w-full"
        />
        <Filter label="Status" value={search.status} onChange={(status) => onSearchWith(status, "status")} options={STATUSES.map((status) => ({ value: status, label: statusLook({ status }).word }))} />
        <Filter label="Tag" value={search.tag} onChange={(tag) => onSearchWith(tag, "tag")} options={tags.map((tag) => ({ value: tag, label: tag }))} />
        <Filter label="Stack" value={search.stack} onChange={(stack) => onSearchWith(stack, "stack")} options={stacks.map((stack) => ({ value: stack.id, label: stack.name }))} />
        <span className="ml-auto shrink-0 text-12 text-ink-3 max-md:hidden">Sorted by what needs a person</span>
      </div>
      {list.isPending ? <Skeleton rows={14} /> : null}
      {list.error && !list.data ? <Empty title="The workspaces could not be read."><p role="alert">{explain(list.error)}</p></Empty> : null}
      {list.data && rows.length === 0 ? (
        filtered ? (
          <Empty title="No workspace matches."><button type="button" className="link" onClick={() => onSearch({})}>Clear the filters</button></Empty>
        ) : (
          <Empty title="No workspace yet.">A workspace joins a stack with a state and its variables. Make one here, or run <code>sluice plan . --workspace NAME --create</code> in a directory of .tf files.</Empty>
        )
      ) : null}
      {rows.length > 0 ? <WorkspaceTable rows={rows} halts={halts} /> : <div className="grow" />}
      <footer className="flex h-7 shrink-0 items-center gap-5 border-t border-line bg-canvas px-5 text-12 text-ink-2 max-sm:hidden">
        <span>{list.data?.next_cursor ? `The first ${rows.length}; search for others` : `${rows.length} shown`}</span>
        <span className="flex items-center gap-1.5"><Kbd>J K</Kbd> move</span>
        <span className="flex items-center gap-1.5"><Kbd>↵</Kbd> open</span>
        <span className="flex items-center gap-1.5"><Kbd>P</Kbd> plan</span>
        <span className="ml-auto flex items-center gap-1.5">Page <Kbd>[ ]</Kbd></span>
      </footer>
      <NewWorkspaceDialog open={search.create ?? false} onOpenChange={(open) => (open ? set({ create: true }) : onSearchWith(undefined, "create"))} stacks={stacks} />
    </main>
  );

  function onSearchWith(value: string | undefined, name: keyof ListSearch): void {
    const next: ListSearch = Object.fromEntries(Object.entries(search).filter(([key]) => key !== name));
    onSearch(value === undefined ? next : { ...next, [name]: value });
  }
}
