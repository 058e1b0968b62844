import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/field";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { ChainFindings, ChainWord, useChain } from "@/features/audit/chain/chain";
import { explain, http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { AuditEvent } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment } from "@/lib/format";
import { EventDialog, Target } from "./event-dialog";
import { ExportButton } from "./export";

interface AuditSearch {
  action?: string;
  target?: string;
  actor?: string;
}

function evidenceWords(evidence: Record<string, unknown>): string {
  return Object.entries(evidence)
    .filter(([, value]) => value !== null && value !== "")
    .map(([key, value]) => `${key.replaceAll("_", " ")} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** Who did what, newest first, and whether the chain holds. */
export function AuditView({ search, onSearch }: { search: AuditSearch; onSearch: (next: AuditSearch) => void }) {
  const now = useNow();
  const [action, setAction] = useState(search.action ?? "");
  const [target, setTarget] = useState(search.target ?? "");
  const [shown, setShown] = useState<AuditEvent | null>(null);
  const events = useInfiniteQuery({
    queryKey: [...keys.audit, "events", search],
    queryFn: ({ pageParam, signal }) => http.get<Page<AuditEvent>>("/audit", { action: search.action, target_id: search.target, actor_id: search.actor, limit: 100, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  const chain = useChain();
  const rows = events.data?.pages.flatMap((page) => page.items) ?? [];
  const submit = () => onSearch({ ...(action.trim() ? { action: action.trim() } : {}), ...(target.trim() ? { target: target.trim() } : {}), ...(search.actor ? { actor: search.actor } : {}) });
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 flex-wrap items-center gap-3 border-b border-line px-5 py-2 max-sm:px-4">
        <h1 className="text-16 font-semibold">Audit</h1>
        <ChainWord chain={chain} />
        <form className="ml-auto flex flex-wrap gap-2" onSubmit={(event) => { event.preventDefault(); submit(); }}>
          <SearchInput label="Action" placeholder="Action, as run.approve" value={action} onValue={setAction} onBlur={submit} className="w-56" />
          <SearchInput label="Target's id" placeholder="Target's id" value={target} onValue={setTarget} onBlur={submit} className="w-56" />
          <button type="submit" className="sr-only">Filter</button>
          {search.actor ? <Button onClick={() => onSearch({ ...(search.action ? { action: search.action } : {}), ...(search.target ? { target: search.target } : {}) })}>One actor: clear</Button> : null}
        </form>
        <ExportButton action={search.action} isNarrowedBeyond={Boolean(search.target ?? search.actor)} />
      </header>
      <ChainFindings state={chain.state} />
      <div className="min-h-0 grow overflow-auto">
        {events.isPending ? <Skeleton rows={12} /> : null}
        {events.error ? <Empty title="The audit trail could not be read."><p role="alert">{explain(events.error)}</p></Empty> : null}
        {events.data && rows.length === 0 ? <Empty title="No event matches." /> : null}
        {rows.length > 0 ? (
          <Table caption="Audit events, newest first" className="table-fixed max-md:table-auto" head={<><Th className="w-36">When</Th><Th className="w-44">Who</Th><Th className="w-52">Action</Th><Th className="w-64">Target</Th><Th className="max-md:hidden">Evidence</Th><Th className="w-32 text-right max-md:hidden">From</Th></>}>
            {rows.map((event) => (
              <Tr key={event.id}>
                <Td className="tnum text-12 text-ink-2"><time dateTime={event.at}>{moment(event.at, now)}</time></Td>
                <Td className="truncate"><button type="button" className="hover:underline" onClick={() => onSearch({ ...search, actor: event.actor.id })}>{event.actor.name}</button>{event.actor.kind === "person" ? null : <span className="ml-1 text-12 text-ink-3">{event.actor.kind.replaceAll("_", " ")}</span>}</Td>
                <Td className="truncate font-mono text-12"><button type="button" className="link" aria-haspopup="dialog" onClick={() => setShown(event)}>{event.action}</button></Td>
                <Td className="truncate font-mono text-12 text-ink-2" title={event.target.id}><Target target={event.target} /></Td>
                <Td className="truncate text-12 text-ink-2 max-md:hidden" title={evidenceWords(event.evidence)}>{evidenceWords(event.evidence)}</Td>
                <Td className="truncate text-right font-mono text-12 text-ink-3 max-md:hidden">{event.source_address}</Td>
              </Tr>
            ))}
          </Table>
        ) : null}
        <EventDialog event={shown} onClose={() => setShown(null)} />
        {events.hasNextPage ? <div className="p-4"><Button disabled={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>Older events</Button></div> : null}
      </div>
    </main>
  );
}
