import { Link } from "@tanstack/react-router";
import { LockText } from "@/components/domain/lock-text";
import { Tag } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { stateLink } from "@/features/state/search";
import type { WorkspaceRow } from "@/lib/api/types";
import { count } from "@/lib/format";
import { backendName } from "@/lib/state-words";

/** One row a workspace; what is locked by the dead comes first, then what is locked. */
export function StatesTable({ rows }: { rows: readonly WorkspaceRow[] }) {
  const rank = (row: WorkspaceRow) => (row.lock?.is_orphaned ? 0 : row.lock ? 1 : 2);
  const sorted = [...rows].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  return (
    <Table caption="State by workspace" head={<><Th>Workspace</Th><Th className="text-right">Serial</Th><Th className="text-right">Resources</Th><Th className="max-md:hidden">Backend</Th><Th>Lock holder, heartbeat</Th></>}>
      {sorted.map((row) => (
        <Tr key={row.id}>
          <Td className="max-w-0 min-w-40 truncate"><Link {...stateLink(row.id)} className="font-medium hover:underline">{row.name}</Link><span className="ml-2 inline-flex gap-1 max-sm:hidden">{row.tags.map((tag) => <Tag key={tag}>{tag}</Tag>)}</span></Td>
          <Td className="tnum w-24 text-right">{row.state_serial ?? <span className="text-ink-3">none yet</span>}</Td>
          <Td className="tnum w-28 text-right">{row.state_serial === null ? "" : count(row.resource_count)}</Td>
          <Td className="w-44 text-ink-2 max-md:hidden">{backendName(row.state_backend)}</Td>
          <Td className="w-72 text-12">{row.lock ? <Link {...stateLink(row.id)} hash="lock" className="hover:underline"><LockText lock={row.lock} /></Link> : <LockText lock={null} />}</Td>
        </Tr>
      ))}
    </Table>
  );
}
