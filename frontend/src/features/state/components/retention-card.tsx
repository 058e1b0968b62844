import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { SectionHead } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/field";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import { retentionQuery, setRetention } from "@/lib/api/state";
import type { Retention, Workspace } from "@/lib/api/types";
import { plural } from "@/lib/format";

/** What is kept, in a sentence. */
function retentionWords({ keep_versions: versions, keep_days: days }: Retention): string {
  const parts = [versions ? `the newest ${plural(versions, "version")}` : null, days ? `those of the last ${plural(days, "day")}` : null].filter((part) => part !== null);
  if (parts.length === 0) return "Every version is kept whole.";
  return `Keeps ${parts.join(", and ")}. Of older ones only the content goes: serial, digest, who and which run stay.`;
}

export function RetentionCard({ workspace }: { workspace: Workspace }) {
  const retention = useQuery(retentionQuery(workspace.id));
  const blocked = useMay()("state:write");
  const [editing, setEditing] = useState(false);
  return (
    <section aria-labelledby="rail-retention" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-retention" title="Retention" aside={retention.data ? <Button size={24} look="ghost" className="-mr-2" blocked={blocked} onClick={() => setEditing(true)}>Change</Button> : null} />
      <p className="text-12 text-ink-2">{retention.data ? retentionWords(retention.data) : retention.error ? <span role="alert" className="text-destroy">{explain(retention.error)}</span> : <span className="skeleton inline-block h-3 w-40" />}</p>
      <Dialog open={editing} onOpenChange={setEditing} title={`Retention of ${workspace.name}`} description="A version's content goes when every limit that is set lets it go. The newest version's content is always kept. A sweep acts every ten minutes; what went can't be brought back.">
        {retention.data ? <Form workspace={workspace} now={retention.data} onClose={() => setEditing(false)} /> : null}
      </Dialog>
    </section>
  );
}

function Form({ workspace, now, onClose }: { workspace: Workspace; now: Retention; onClose: () => void }) {
  const [versions, setVersions] = useState(now.keep_versions ? String(now.keep_versions) : "");
  const [days, setDays] = useState(now.keep_days ? String(now.keep_days) : "");
  const queryClient = useQueryClient();
  const save = useMutation({
    mutationFn: () => setRetention(workspace.id, { keep_versions: versions ? Number(versions) : null, keep_days: days ? Number(days) : null }),
    onSuccess: (kept) => {
      queryClient.setQueryData(retentionQuery(workspace.id).queryKey, kept);
      void queryClient.invalidateQueries({ queryKey: keys.stateVersions(workspace.id) });
      onClose();
    },
  });
  const wrong = (name: string) => (save.error instanceof ApiError ? save.error.field(name) : undefined);
  const elsewhere = save.error && !wrong("keep_versions") && !wrong("keep_days") ? explain(save.error) : null;
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Keep the newest (versions)" hint="Empty: no such limit" error={wrong("keep_versions")}>{(ids) => <Input {...ids} autoFocus type="number" min={1} max={100_000} value={versions} onChange={(event) => setVersions(event.target.value)} />}</Field>
        <Field label="Keep those of the last (days)" hint="Empty: no such limit" error={wrong("keep_days")}>{(ids) => <Input {...ids} type="number" min={1} max={36_500} value={days} onChange={(event) => setDays(event.target.value)} />}</Field>
      </div>
      {elsewhere ? <p role="alert" className="text-12 text-destroy">{elsewhere}</p> : null}
      <p className="text-12 text-ink-2">{retentionWords({ keep_versions: versions ? Number(versions) : null, keep_days: days ? Number(days) : null })}</p>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} disabled={save.isPending}>Save</Button>
      </div>
    </form>
  );
}
