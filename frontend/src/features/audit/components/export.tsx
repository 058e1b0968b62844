import { Download } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { Popover } from "@/components/ui/menu";
import { queryString } from "@/lib/api/http";

/** A moment of the person's own time zone (`2026-11-21T09:00`) as the API takes it; nothing for what is no moment. */
function instant(local: string): string | undefined {
  const at = Date.parse(local);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** The address of an export: what is left empty narrows nothing. */
export function exportUrl(filter: { action?: string | undefined; since: string; until: string }): string {
  return `/audit/export${queryString({ action: filter.action, since: instant(filter.since), until: instant(filter.until) })}`;
}

/** Saves the trail as JSON Lines, narrowed by the page's action and by times. */
export function ExportButton({ action, isNarrowedBeyond }: { action: string | undefined; isNarrowedBeyond: boolean }) {
  const [open, setOpen] = useState(false);
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const hasGaps = Boolean(action ?? instant(since) ?? instant(until));
  return (
    <Popover open={open} onOpenChange={setOpen} label="Export" trigger={<Button icon={<Download size={14} />}>Export</Button>}>
      <div className="flex flex-col gap-3">
        <p className="text-12 text-ink-2">JSON Lines, in the chain's order, with the signed checkpoints between them: {action ? <>the events <span className="font-mono">{action}</span></> : "every event"}.</p>
        <Field label="From">{(ids) => <Input {...ids} type="datetime-local" value={since} onChange={(event) => setSince(event.target.value)} />}</Field>
        <Field label="Until">{(ids) => <Input {...ids} type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />}</Field>
        {isNarrowedBeyond ? <p className="text-12 text-wait">Target and actor narrow this page, and not the export.</p> : null}
        <p className="text-12 text-ink-3">{hasGaps ? "It leaves events out, so its chain can't be verified." : <><code>sluice audit verify FILE</code> verifies it anywhere.</>}</p>
        <a href={exportUrl({ action, since, until })} download="audit.jsonl" onClick={() => setOpen(false)} className="inline-flex h-8 items-center justify-center gap-1.5 rounded-ctl bg-primary px-3 text-13 font-medium text-on-primary hover:opacity-90 max-sm:h-11"><Download size={14} aria-hidden />Export</a>
      </div>
    </Popover>
  );
}
