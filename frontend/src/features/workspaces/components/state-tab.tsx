import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { OutputValues } from "@/components/domain/output-values";
import { Empty, Fact, SectionHead, Skeleton, Tag } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { useMay } from "@/lib/api/session";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { versionOutputsQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";
import { bytes, moment, shortDigest } from "@/lib/format";

const KINDS: Record<string, string> = { applied: "applied", snapshot: "snapshot", errored: "left by a failed apply" };

/** Every state that was kept, newest first; the chosen one with its outputs beside. */
export function StateTab({ workspace, versions, chosen }: { workspace: Workspace; versions: readonly StateVersion[] | undefined; chosen: string | undefined }) {
  const now = useNow();
  const current = versions?.find((each) => each.id === chosen) ?? versions?.[0];
  if (!versions) return <Skeleton rows={6} />;
  if (!current) return <Empty title="No state yet.">State version 1 is stored by the first apply.</Empty>;
  return (
    <div className="flex h-full max-lg:flex-col">
      <div className="min-w-0 grow overflow-auto">
        <Table caption="State versions" head={<><Th>Version</Th><Th className="text-right">Serial</Th><Th>Kind</Th><Th className="text-right">Resources</Th><Th className="text-right max-md:hidden">Size</Th><Th className="max-md:hidden">By</Th><Th className="max-md:hidden">Digest</Th><Th className="text-right">Kept</Th></>}>
          {versions.map((version) => (
            <Tr key={version.id} className={version.id === current.id ? "bg-selected shadow-[inset_2px_0_0_var(--ink)]" : ""}>
              <Td className="font-medium"><Link to="/infra/terraform/workspaces/$id" params={{ id: workspace.id }} search={{ tab: "state", version: version.id }} className="hover:underline" aria-current={version.id === current.id ? "true" : undefined}>{version.number}</Link>{version === versions[0] ? <span className="ml-2"><Tag>current</Tag></span> : null}</Td>
              <Td className="tnum text-right">{version.serial}</Td>
              <Td className="text-ink-2">{KINDS[version.kind] ?? version.kind}</Td>
              <Td className="tnum text-right">{version.resource_count}</Td>
              <Td className="tnum text-right text-ink-2 max-md:hidden">{bytes(version.size_bytes)}</Td>
              <Td className="text-ink-2 max-md:hidden">{version.created_by.name}</Td>
              <Td className="font-mono text-12 text-ink-3 max-md:hidden">{shortDigest(version.digest)}</Td>
              <Td className="text-right text-12 text-ink-3">{moment(version.created_at, now)}</Td>
            </Tr>
          ))}
        </Table>
      </div>
      <VersionDetail version={current} />
    </div>
  );
}

function VersionDetail({ version }: { version: StateVersion }) {
  const outputs = useQuery(versionOutputsQuery(version.id)).data;
  const mayDownload = useMay()("state:download") === null;
  return (
    <aside aria-label={`State version ${version.number}`} className="w-[440px] shrink-0 overflow-auto border-l border-line max-lg:w-full max-lg:border-t max-lg:border-l-0">
      <div className="border-b border-line px-5 py-3">
        <SectionHead title={`State version ${version.number}`} aside={`serial ${version.serial}`} />
        <dl className="mt-1">
          <Fact label="Lineage"><span className="font-mono">{version.lineage}</span></Fact>
          <Fact label="Digest"><span className="font-mono" title={version.digest}>{shortDigest(version.digest)}</span></Fact>
          {version.run_id ? <Fact label="Run"><Link to="/infra/terraform/runs/$id" params={{ id: version.run_id }} className="link font-mono">…{version.run_id.slice(-8)}</Link></Fact> : null}
        </dl>
        {mayDownload ? <a href={`/terraform/state-versions/${version.id}/download`} download className="mt-2 inline-flex h-7 items-center gap-1.5 rounded-ctl border border-line-2 px-2.5 text-13 font-medium hover:bg-hover"><Download size={14} aria-hidden />Download</a> : null}
      </div>
      {outputs ? <OutputValues outputs={outputs} /> : <Skeleton rows={3} />}
    </aside>
  );
}
