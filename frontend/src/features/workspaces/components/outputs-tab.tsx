import { OutputValues } from "@/components/domain/output-values";
import { Empty, Skeleton } from "@/components/ui/bits";
import type { OutputValue, StateVersion } from "@/lib/api/types";

export function OutputsTab({ outputs, version }: { outputs: readonly OutputValue[] | undefined; version: StateVersion | undefined }) {
  if (!outputs) return version ? <Skeleton rows={4} /> : <Empty title="No state yet.">Outputs appear after the first apply.</Empty>;
  return (
    <>
      {version ? <p className="border-b border-line px-5 py-1.5 text-12 text-ink-2">Of state version {version.number}, serial {version.serial}</p> : null}
      <OutputValues outputs={outputs} empty={version ? "This state has no outputs." : "No state yet."} />
    </>
  );
}
