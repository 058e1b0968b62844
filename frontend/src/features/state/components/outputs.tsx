import { useQuery } from "@tanstack/react-query";
import { OutputValues } from "@/components/domain/output-values";
import { Empty, Skeleton } from "@/components/ui/bits";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import { revealOutput } from "@/lib/api/state";
import { versionOutputsQuery } from "@/lib/api/workspaces";

/** A version's outputs; a sensitive one is read only when a person asks, and that is audited. */
export function VersionOutputs({ version }: { version: string }) {
  const outputs = useQuery(versionOutputsQuery(version));
  const blocked = useMay()("state:read-sensitive");
  if (outputs.error && !outputs.data) return <Empty title="The outputs could not be read."><p role="alert">{explain(outputs.error)}</p></Empty>;
  if (!outputs.data) return <Skeleton rows={4} />;
  return <OutputValues key={version} outputs={outputs.data} reveal={{ blocked, read: async (name) => (await revealOutput(version, name)).value }} />;
}
