import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/field";
import { Segmented } from "@/components/ui/tabs";
import { QuarantineTable } from "@/features/state/quarantine/quarantine-view";
import { RecoveryTable } from "@/features/state/recovery/recovery-table";
import { explain } from "@/lib/api/http";
import { recoveryQuery } from "@/lib/api/recovery";
import { quarantineQuery, stateRowsQuery } from "@/lib/api/state";
import type { WorkspaceRow } from "@/lib/api/types";
import { count, plural } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { StatesTable } from "./states-table";

type Show = "all" | "locked";

/** Every workspace's state: first what needs a person (dead holders, refused states), then all of them. */
export function StateOverview() {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [show, setShow] = useState<Show>("all");
  const search = useDeferredValue(text.trim());
  const list = useInfiniteQuery(stateRowsQuery(search));
  const held = useInfiniteQuery(quarantineQuery(null, "held"));
  const left = useInfiniteQuery(recoveryQuery(null, "open"));
  const items = left.data?.pages.flatMap((page) => page.items) ?? [];
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const states = held.data?.pages.flatMap((page) => page.items) ?? [];
  const names = useMemo(() => new Map(rows.map((row) => [row.id, row.name])), [rows]);
  const orphaned = rows.filter((row) => row.lock?.is_orphaned);
  const locked = rows.filter((row) => row.lock);
  useKeys({ "/": () => field.current?.focus() });
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line px-5 py-1.5 max-sm:px-4">
        <h1 className="text-16 font-semibold">State</h1>
        <span className="min-w-0 truncate text-13 text-ink-3 max-sm:hidden">{attention(orphaned.length, items.length, states.length, held.hasNextPage)}</span>
        <div className="ml-auto flex items-center gap-2 max-sm:w-full">
          <SearchInput ref={field} label="Search workspaces" placeholder="Workspace" keys="/" value={text} onValue={setText} className="w-56 max-sm:grow" onKeyDown={(event) => { if (event.key === "Escape") event.currentTarget.blur(); }} />
          <Segmented<Show> label="Show" value={show} onChange={setShow} options={[{ value: "all", label: "All" }, { value: "locked", label: `Locked ${locked.length}` }]} />
        </div>
      </header>
      <div className="min-h-0 grow overflow-auto" tabIndex={-1}>
        {held.error && !held.data ? <p role="alert" className="px-5 py-2 text-12 text-destroy">The quarantine could not be read. {explain(held.error)}</p> : null}
        {left.error && !left.data ? <p role="alert" className="px-5 py-2 text-12 text-destroy">The recovery lists could not be read. {explain(left.error)}</p> : null}
        {items.length > 0 ? (
          <section aria-labelledby="left">
            <Head id="left" title="Recovery lists" aside={`${plural(items.length, "resource")}${left.hasNextPage ? " or more" : ""} that no state knows`} />
            <RecoveryTable items={items.slice(0, 8)} nameOf={(item) => names.get(item.workspace_id) ?? item.workspace_id} />
          </section>
        ) : null}
        {states.length > 0 ? (
          <section aria-labelledby="held">
            <Head id="held" title="Quarantine" aside={`${plural(states.length, "state")}${held.hasNextPage ? " or more" : ""} to decide on`} />
            <QuarantineTable states={states.slice(0, 8)} workspaceOf={(state) => state.workspace_id} nameOf={(state) => names.get(state.workspace_id) ?? state.workspace_id} />
          </section>
        ) : null}
        <section aria-labelledby="states">
          <Head id="states" title="Workspaces" aside={list.data ? `${count(rows.length)}${list.hasNextPage ? "+" : ""}` : ""} />
          {list.isPending ? <Skeleton rows={12} /> : null}
          {list.error && !list.data ? <Empty title="The workspaces could not be read."><p role="alert">{explain(list.error)}</p></Empty> : null}
          {list.data ? <Listed rows={show === "locked" ? locked : rows} locked={show === "locked"} searched={search !== ""} /> : null}
          {list.hasNextPage ? <div className="px-5 py-3"><Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>Show more workspaces</Button></div> : null}
        </section>
      </div>
    </main>
  );
}

function attention(orphaned: number, left: number, held: number, more: boolean): string {
  const parts = [orphaned > 0 ? `${plural(orphaned, "lock")} whose holder is dead` : null, left > 0 ? `${plural(left, "resource")} that no state knows` : null, held > 0 ? `${count(held)}${more ? "+" : ""} in quarantine` : null].filter((part) => part !== null);
  return parts.length > 0 ? parts.join(", ") : "every lock has a living holder, nothing is lost or in quarantine";
}

function Head({ id, title, aside }: { id: string; title: string; aside: string }) {
  return <h2 id={id} className="flex h-8 items-center gap-2 border-b border-line px-5 text-12 font-semibold max-sm:px-4">{title} <span className="font-normal text-ink-3">{aside}</span></h2>;
}

function Listed({ rows, locked, searched }: { rows: readonly WorkspaceRow[]; locked: boolean; searched: boolean }) {
  if (rows.length > 0) return <StatesTable rows={rows} />;
  if (locked) return <Empty title="No state is locked.">A run locks it while it plans or applies; a person locks it by hand.</Empty>;
  return searched ? <Empty title="No workspace matches." /> : <Empty title="No workspace yet.">A workspace&apos;s first apply stores its first state version.</Empty>;
}
