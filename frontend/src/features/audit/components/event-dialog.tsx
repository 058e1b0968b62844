import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Dialog } from "@/components/ui/dialog";
import type { AuditEvent } from "@/lib/api/types";

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[136px_1fr] gap-3 border-b border-line px-5 py-2 text-13 last:border-b-0 max-sm:grid-cols-1 max-sm:gap-0.5">
      <dt className="text-12 text-ink-3">{name}</dt>
      <dd className="min-w-0 [overflow-wrap:anywhere]">{children}</dd>
    </div>
  );
}

function Value({ value }: { value: unknown }) {
  if (typeof value === "string") return <span className="font-mono text-12">{value}</span>;
  return <pre className="font-mono text-12 whitespace-pre-wrap">{JSON.stringify(value, null, 2)}</pre>;
}

/** Where what an event happened to can be looked at, for kinds that have a page. */
export function Target({ target }: { target: AuditEvent["target"] }) {
  const id = <span className="font-mono text-12">{target.id}</span>;
  if (target.id.startsWith("run-")) return <Link to="/infra/terraform/runs/$id" params={{ id: target.id }} className="link">{id}</Link>;
  if (target.id.startsWith("ws-")) return <Link to="/infra/terraform/workspaces/$id" params={{ id: target.id }} className="link">{id}</Link>;
  return id;
}

/** One event whole: what a row of the trail has no room for, and its place in the chain. */
export function EventDialog({ event, onClose }: { event: AuditEvent | null; onClose: () => void }) {
  if (!event) return null;
  const evidence = Object.entries(event.evidence).filter(([, value]) => value !== null && value !== "");
  return (
    <Dialog wide open onOpenChange={(open) => { if (!open) onClose(); }} title={<span className="font-mono text-13">{event.action}</span>} aside={event.chain_seq === null ? "not chained yet" : `position ${event.chain_seq}`}>
      <dl>
        <Fact name="When"><time dateTime={event.at}>{event.at.replace("T", " ").replace(/(\.\d+)?(Z|\+00:00)$/, " UTC")}</time></Fact>
        <Fact name="Who">{event.actor.name} <span className="text-12 text-ink-3">{event.actor.kind.replaceAll("_", " ")}</span></Fact>
        <Fact name="From">{event.source_address ?? <span className="text-ink-2">Sluice itself: no request</span>}</Fact>
        <Fact name="Target"><Target target={event.target} /></Fact>
        {evidence.map(([key, value]) => <Fact key={key} name={key.replaceAll("_", " ")}><Value value={value} /></Fact>)}
        <Fact name="Hash">{event.hash ? <span className="font-mono text-12">{event.hash}</span> : <span className="text-ink-2">within ten seconds, when it is chained</span>}</Fact>
      </dl>
    </Dialog>
  );
}
