import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Database } from "lucide-react";
import { plainText } from "@/components/domain/output-values";
import { SectionHead } from "@/components/ui/bits";
import type { Run } from "@/lib/api/types";
import { versionOutputsQuery } from "@/lib/api/workspaces";

/** What an apply left: the state version, and the outputs in it. */
export function Result({ run, child }: { run: Run; child: Run | undefined }) {
  const version = child?.state_version ?? run.state_version;
  const outputs = useQuery({ ...versionOutputsQuery(version?.id ?? ""), enabled: version !== null }).data;
  if (!version) return null;
  return (
    <section aria-labelledby="rail-result" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-result" title="State version" aside={`serial ${version.serial}`} />
      <p className="flex items-center gap-2 text-13">
        <Database size={14} className="text-create" aria-hidden />
        <Link to="/infra/terraform/workspaces/$id" params={{ id: run.workspace.id }} search={{ tab: "state", version: version.id }} className="link">State version {version.number}</Link>
      </p>
      {outputs && outputs.length > 0 ? (
        <dl className="mt-2 flex flex-col gap-1">
          {outputs.slice(0, 8).map((output) => (
            <div key={output.name} className="min-w-0 text-12">
              <dt className="truncate font-mono text-11 text-ink-3">{output.name}</dt>
              <dd className="truncate font-mono" title={output.sensitive ? undefined : plainText(output.value)}>
                {output.sensitive ? <span className="font-sans text-ink-2">•••••••• sensitive</span> : plainText(output.value)}
              </dd>
            </div>
          ))}
        </dl>
      ) : null}
      {outputs && outputs.length > 8 ? <p className="mt-1 text-12 text-ink-3">and {outputs.length - 8} more</p> : null}
    </section>
  );
}
