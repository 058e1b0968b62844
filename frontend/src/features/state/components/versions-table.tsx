import { Link } from "@tanstack/react-router";
import { Tag } from "@/components/ui/bits";
import { Checkbox } from "@/components/ui/field";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { stateLink } from "@/features/state/search";
import type { StateVersion } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { bytes, count, moment, shortId } from "@/lib/format";
import { kindWords } from "@/lib/state-words";

/** How many resources more or less than the version before it holds. */
function Delta({ by }: { by: number | null }) {
  if (!by) return null;
  return <span className={cx("ml-1.5 font-mono text-12", by > 0 ? "text-create" : "text-destroy")}>{by > 0 ? `+${count(by)}` : `−${count(-by)}`}</span>;
}

export function VersionsTable({ workspace, versions, picked, onToggle, current, onFocus }: {
  workspace: string;
  versions: readonly StateVersion[];
  picked: readonly string[];
  onToggle: (id: string) => void;
  current: string | undefined;
  onFocus: (id: string) => void;
}) {
  const now = useNow();
  return (
    <Table
      caption="State versions"
      head={<><Th className="w-10"><span className="sr-only">Chosen</span></Th><Th>Version</Th><Th className="text-right">Serial</Th><Th>How</Th><Th className="text-right">Resources</Th><Th className="text-right max-md:hidden">Size</Th><Th className="max-md:hidden">By</Th><Th className="max-xl:hidden">Run</Th><Th className="text-right">Kept</Th></>}
    >
      {versions.map((version, i) => {
        const before = versions[i + 1];
        return (
          <Tr key={version.id} onMouseEnter={() => onFocus(version.id)} className={version.id === current ? "bg-selected shadow-[inset_2px_0_0_var(--ink)] max-sm:bg-transparent max-sm:shadow-none" : ""}>
            <Td className="w-10"><Checkbox hideLabel className="align-middle" label={`Choose version ${version.number} to compare`} checked={picked.includes(version.id)} onChange={() => onToggle(version.id)} /></Td>
            <Td className="font-medium">
              <Link {...stateLink(workspace, { version: version.id })} className="tnum hover:underline">{version.number}</Link>
              {i === 0 ? <span className="ml-2"><Tag>current</Tag></span> : null}
              {version.pruned_at ? <span className="ml-2" title="Retention let go of its content; what is said about it is kept"><Tag>content let go</Tag></span> : null}
            </Td>
            <Td className="tnum text-right">{version.serial}</Td>
            <Td className={cx(version.kind === "errored" ? "text-replace" : "text-ink-2")}>{kindWords(version)}</Td>
            <Td className="tnum text-right"><Delta by={before ? version.resource_count - before.resource_count : null} /> {count(version.resource_count)}</Td>
            <Td className="tnum text-right text-ink-2 max-md:hidden">{bytes(version.size_bytes)}</Td>
            <Td className="max-w-40 truncate text-ink-2 max-md:hidden">{version.created_by.name}</Td>
            <Td className="font-mono text-12 text-ink-2 max-xl:hidden">{version.run_id ? <Link to="/infra/terraform/runs/$id" params={{ id: version.run_id }} className="hover:underline">{shortId(version.run_id)}</Link> : <span className="font-sans text-ink-3">by hand</span>}</Td>
            <Td className="text-right text-12 text-ink-3">{moment(version.created_at, now)}</Td>
          </Tr>
        );
      })}
    </Table>
  );
}
