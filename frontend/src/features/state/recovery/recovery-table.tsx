import { Link } from "@tanstack/react-router";
import { Address } from "@/components/domain/address";
import { Tag } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { stateLink } from "@/features/state/search";
import { outcomeWords } from "@/lib/api/recovery";
import type { RecoveryItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortId } from "@/lib/format";

/** Items of several workspaces' recovery lists; each leads to its workspace's. */
export function RecoveryTable({ items, nameOf }: { items: readonly RecoveryItem[]; nameOf: (item: RecoveryItem) => string }) {
  const now = useNow();
  return (
    <Table caption="Resources that no state knows" head={<><Th>Resource</Th><Th>Workspace</Th><Th>What is known</Th><Th className="max-md:hidden">Id</Th><Th className="max-md:hidden">Run</Th><Th className="text-right">When</Th></>}>
      {items.map((item) => (
        <Tr key={item.id}>
          <Td className="max-w-0 min-w-52"><Link {...stateLink(item.workspace_id, { left: "resources" })} className="hover:underline"><Address address={item.address} withModule /></Link></Td>
          <Td className="text-ink-2">{nameOf(item)}</Td>
          <Td><Tag tone={item.outcome === "created" ? "create" : "wait"}>{outcomeWords(item)}</Tag></Td>
          <Td className="max-w-60 truncate font-mono text-12 text-ink-2 max-md:hidden">{item.resource_id}</Td>
          <Td className="max-md:hidden"><Link to="/infra/terraform/runs/$id" params={{ id: item.run_id }} className="font-mono text-12 hover:underline">{shortId(item.run_id)}</Link></Td>
          <Td className="text-right text-12 text-ink-3">{moment(item.started_at ?? item.created_at, now)}</Td>
        </Tr>
      ))}
    </Table>
  );
}
