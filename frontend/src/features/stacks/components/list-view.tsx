import { Ago } from "@/components/domain/ago";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { SearchInput } from "@/components/ui/field";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { stacksQuery } from "@/features/stacks/api/stacks";
import { explain } from "@/lib/api/http";
import { useNow } from "@/lib/clock";
import { shortDigest } from "@/lib/format";
import { useKeys } from "@/lib/keys";

/** The catalogue: one row a stack, with its newest spec version. */
export function StacksView() {
  const now = useNow();
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const query = useQuery(stacksQuery);
  useKeys({ "/": () => field.current?.focus() });
  const needle = text.trim().toLowerCase();
  const rows = (query.data?.items ?? []).filter((stack) => stack.name.includes(needle) || stack.description.toLowerCase().includes(needle));
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 items-center gap-3 border-b border-line px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">Stacks</h1>
        <span className="tnum text-13 text-ink-3">{query.data?.items.length}</span>
        <SearchInput ref={field} label="Search stacks" placeholder="Name" keys="/" value={text} onValue={setText} className="ml-auto w-60" />
      </header>
      <div className="min-h-0 grow overflow-auto">
        {query.isPending ? <Skeleton rows={6} /> : null}
        {query.error && !query.data ? <Empty title="The stacks could not be read."><p role="alert">{explain(query.error)}</p></Empty> : null}
        {query.data && rows.length === 0 ? (
          needle ? <Empty title="No stack matches." /> : <Empty title="No stack yet.">A stack is a spec with versions. Push one with <code>sluice stack push</code>, or let <code>sluice plan . --create</code> make it.</Empty>
        ) : null}
        {rows.length > 0 ? (
          <Table caption="Stacks" head={<><Th>Stack</Th><Th>Newest version</Th><Th className="max-md:hidden">Hash</Th><Th className="text-right">Workspaces</Th><Th className="text-right">Pushed</Th></>}>
            {rows.map((stack) => (
              <Tr key={stack.id}>
                <Td className="max-w-0 min-w-44 truncate"><Link to="/infra/terraform/stacks/$id" params={{ id: stack.name }} className="font-medium hover:underline">{stack.name}</Link> <span className="ml-1 text-12 text-ink-3">{stack.description}</span></Td>
                <Td className="w-32 font-medium">{stack.latest_version?.number ? `v${stack.latest_version.number}` : <span className="font-normal text-ink-3">none pushed</span>}</Td>
                <Td className="w-36 font-mono text-12 text-ink-3 max-md:hidden">{stack.latest_version ? shortDigest(stack.latest_version.hash) : ""}</Td>
                <Td className="tnum w-28 text-right">{stack.workspace_count}</Td>
                <Td className="w-28 text-right text-12 text-ink-3">{stack.latest_version ? <Ago iso={stack.latest_version.created_at} now={now} suffix=" ago" /> : ""}</Td>
              </Tr>
            ))}
          </Table>
        ) : null}
      </div>
    </main>
  );
}
