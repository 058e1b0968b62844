import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { Segmented } from "@/components/ui/tabs";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { quarantineQuery } from "@/lib/api/state";
import type { QuarantinedState, Workspace } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { bytes, moment, shortId } from "@/lib/format";
import { refusalWords } from "@/lib/state-words";
import { QuarantinedPage } from "./quarantined-page";
import { QuarantineStatusTag } from "./status-tag";

/** The workspace's quarantine, or one state of it. */
export function QuarantineView({ workspace, held }: { workspace: Workspace; held: string }) {
  return held === "quarantine" ? <List workspace={workspace} /> : <QuarantinedPage key={held} workspace={workspace} id={held} />;
}

type Show = "held" | "all";

function List({ workspace }: { workspace: Workspace }) {
  const [show, setShow] = useState<Show>("held");
  const pages = useInfiniteQuery(quarantineQuery(workspace.id, show === "held" ? "held" : null));
  const states = pages.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-11 shrink-0 items-center gap-3 border-b border-line px-5 max-sm:px-4">
        <Link {...stateLink(workspace.id)} className="inline-flex h-6 items-center gap-1 text-12 text-ink-2 hover:text-ink"><ChevronLeft size={14} aria-hidden />Versions</Link>
        <h2 className="text-13 font-semibold">Quarantine</h2>
        <Segmented<Show> className="ml-auto" label="Show" value={show} onChange={setShow} options={[{ value: "held", label: "Held" }, { value: "all", label: "All" }]} />
      </header>
      {pages.isPending ? <Skeleton rows={4} /> : null}
      {pages.error && !pages.data ? <Empty title="The quarantine could not be read."><p role="alert">{explain(pages.error)}</p></Empty> : null}
      {pages.data && states.length === 0 ? (
        <Empty title={show === "held" ? "Nothing is held." : "Nothing was ever refused here."}>A state that can&apos;t follow the current one (an older serial, another lineage, cut short, sent after the lock went to another) becomes no version. It is kept here byte for byte until somebody decides.</Empty>
      ) : null}
      {states.length > 0 ? (
        <div className="min-h-0 grow overflow-auto">
          <QuarantineTable states={states} workspaceOf={() => workspace.id} />
          {pages.hasNextPage ? <div className="px-5 py-3"><Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>Show older ones</Button></div> : null}
        </div>
      ) : null}
    </div>
  );
}

export function QuarantineTable({ states, workspaceOf, nameOf }: { states: readonly QuarantinedState[]; workspaceOf: (state: QuarantinedState) => string; nameOf?: (state: QuarantinedState) => string }) {
  const now = useNow();
  return (
    <Table caption="Quarantined states" head={<><Th>State</Th>{nameOf ? <Th>Workspace</Th> : null}<Th>Why it is here</Th><Th className="max-md:hidden">Sent by</Th><Th className="text-right max-md:hidden">Size</Th><Th>Decision</Th><Th className="text-right">When</Th></>}>
      {states.map((state) => (
        <Tr key={state.id}>
          <Td className="font-medium"><Link {...stateLink(workspaceOf(state), { held: state.id })} className="hover:underline">{state.serial === null ? "unreadable" : `serial ${state.serial}`}</Link></Td>
          {nameOf ? <Td className="text-ink-2">{nameOf(state)}</Td> : null}
          <Td className="max-w-0 min-w-52 truncate" title={state.reason}>{refusalWords(state)} <span className="text-ink-3">{state.reason}</span></Td>
          <Td className="max-md:hidden">{state.run_id ? <Link to="/infra/terraform/runs/$id" params={{ id: state.run_id }} className="font-mono text-12 hover:underline">{shortId(state.run_id)}</Link> : <span className="text-ink-2">{state.created_by.name}</span>}</Td>
          <Td className="tnum text-right text-ink-2 max-md:hidden">{bytes(state.size_bytes)}</Td>
          <Td><QuarantineStatusTag status={state.status} /></Td>
          <Td className="text-right text-12 text-ink-3">{moment(state.created_at, now)}</Td>
        </Tr>
      ))}
    </Table>
  );
}
