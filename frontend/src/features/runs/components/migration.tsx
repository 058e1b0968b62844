import { ArrowRight, Check } from "lucide-react";
import { Fact } from "@/components/ui/bits";
import type { PlanView } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { backendName } from "@/lib/state-words";

type Change = NonNullable<PlanView["state_change"]>;

function Place({ title, backend, settings }: { title: string; backend: string | undefined; settings: Record<string, unknown> | null | undefined }) {
  return (
    <div className="min-w-0 grow basis-72 px-5 py-3 max-sm:px-4">
      <h2 className="text-11 text-ink-3">{title}</h2>
      <p className="text-16 font-semibold">{backend ? backendName(backend) : "not known"}</p>
      {Object.keys(settings ?? {}).length === 0 ? <p className="mt-1 text-12 text-ink-2">Sluice keeps it; there is nothing to set.</p> : (
        <dl className="mt-1">{Object.entries(settings ?? {}).map(([name, value]) => <Fact key={name} label={name}><span className="font-mono" title={String(value)}>{typeof value === "string" ? value : JSON.stringify(value)}</span></Fact>)}</dl>
      )}
    </div>
  );
}

/** What a migration moves, from where to where, and what was looked at before. */
export function MigrationView({ change }: { change: Change }) {
  const { from, to } = change;
  const looked = [
    from.resource_count === undefined ? null : `The state there holds ${plural(from.resource_count, "resource")}: serial ${from.serial ?? 0}, lineage ${from.lineage ?? "not known"}.`,
    to.is_empty === undefined ? null : to.is_empty ? "The target holds no resources yet." : to.serial === from.serial ? "The target holds this very state already: the same lineage and serial." : `The target holds an earlier copy of it: the same lineage, serial ${to.serial ?? "not known"}.`,
    "Written there, it is read back and compared byte for byte before the workspace uses it.",
    "The old state stays where it is.",
  ].filter((line) => line !== null);
  return (
    <div className="min-h-0 grow overflow-auto" tabIndex={0} role="group" aria-label="The migration">
      <div className="flex items-stretch border-b border-line max-sm:flex-col">
        <Place title="From" backend={from.state_backend} settings={from.state_backend_settings} />
        <span className="flex items-center border-l border-line px-3 text-ink-3 max-sm:hidden"><ArrowRight size={18} aria-hidden /></span>
        <div className="flex grow basis-72 border-l border-line max-sm:border-t max-sm:border-l-0"><Place title="To" backend={to.state_backend ?? undefined} settings={to.state_backend_settings} /></div>
      </div>
      <ul className="px-5 py-3 max-sm:px-4">
        {looked.map((line) => <li key={line} className="flex items-start gap-2 text-13 leading-6"><Check size={14} className="mt-1.5 shrink-0 text-create" aria-hidden />{line}</li>)}
      </ul>
    </div>
  );
}
