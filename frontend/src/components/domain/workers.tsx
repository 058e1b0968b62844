import { Ago } from "@/components/domain/ago";
import { Empty, Tag } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { Worker } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { count, since } from "@/lib/format";

/** Who executes runs, how many at once, and who has fallen silent. */
export function WorkersTable({ workers }: { workers: readonly Worker[] }) {
  const now = useNow(5_000);
  if (workers.length === 0) return <Empty title="No worker was heard of.">Nothing is planned or applied until one is up: <code>sluice worker</code>.</Empty>;
  return (
    <Table caption="Workers" head={<><Th>Worker</Th><Th>State</Th><Th>Runs at once</Th><Th className="max-md:hidden">Host</Th><Th className="text-right">Up for</Th></>}>
      {workers.map((worker) => (
        <Tr key={worker.name}>
          <Td className="font-mono text-12">{worker.name}</Td>
          <Td>{worker.is_alive ? <Tag tone="create">alive</Tag> : <Tag tone="destroy">silent</Tag>}{worker.is_alive ? null : <span className="ml-2 text-12 text-ink-3">last heard of {since(worker.seen_at, now)} ago</span>}</Td>
          <Td>{worker.concurrency === 0 ? <span className="text-ink-3">takes no runs</span> : <>{count(worker.busy)} <span className="text-ink-3">of {count(worker.concurrency)}</span></>}</Td>
          <Td className="text-ink-2 max-md:hidden">{worker.host ?? "not told"}</Td>
          <Td className="text-right text-12 text-ink-3"><Ago iso={worker.started_at} now={now} /></Td>
        </Tr>
      ))}
    </Table>
  );
}
