import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { attachmentsQuery } from "@/features/workspaces/api/workspaces";
import { explain } from "@/lib/api/http";
import type { PolicyAttachment, Workspace } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortDigest } from "@/lib/format";

function because(attachment: PolicyAttachment): string {
  if (attachment.workspace) return "this workspace";
  return attachment.tag ? `tag ${attachment.tag}` : "the organization";
}

/** The policy sets that judge this workspace's plans, and through what. */
export function PoliciesTab({ workspace }: { workspace: Workspace }) {
  const now = useNow();
  const query = useQuery(attachmentsQuery);
  if (query.error) return <Empty title="The policy attachments could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  if (!query.data) return <Skeleton rows={3} />;
  const mine = query.data.items.filter((each) => each.workspace?.id === workspace.id || (!each.workspace && (each.tag === null || workspace.tags.includes(each.tag))));
  if (mine.length === 0) return <Empty title="No policy set judges this workspace.">An admin attaches one to the workspace, to a tag, or to the organization, under <Link to="/infra/terraform/policies" className="link">Policies</Link>.</Empty>;
  return (
    <Table caption="Policy sets of this workspace" head={<><Th>Policy set</Th><Th>Enforcement level</Th><Th>Attached to</Th><Th>Bundle</Th><Th className="text-right">Synced</Th></>}>
      {mine.map((each) => (
        <Tr key={each.id}>
          <Td><Link to="/infra/terraform/policies" search={{ attachment: each.id }} className="font-mono text-12 hover:underline">{each.policy_set_uri}</Link></Td>
          <Td>{each.enforcement_level}{each.waives_unevaluable ? <span className="text-ink-3">, waives what can&apos;t be evaluated</span> : null}</Td>
          <Td className="text-ink-2">{because(each)}</Td>
          <Td className="font-mono text-12 text-ink-3">{shortDigest(each.bundle_digest)}</Td>
          <Td className="text-right text-12 text-ink-3">{moment(each.synced_at, now)}</Td>
        </Tr>
      ))}
    </Table>
  );
}
