import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { SectionHead } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Textarea } from "@/components/ui/field";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import { setSharing, sharingQuery } from "@/lib/api/state";
import type { OutputSharing, Workspace } from "@/lib/api/types";
import { listed } from "@/lib/format";

/** Who may read the outputs, in a sentence. */
export function sharingWords({ everyone, readers }: OutputSharing): string {
  if (everyone) return "Every workspace of the organization may read the outputs.";
  return readers.length > 0 ? `${listed(readers.map((each) => each.name))} may read the outputs.` : "No other workspace may read the outputs.";
}

/** Which workspaces may take this one's outputs as inputs. */
export function SharingCard({ workspace }: { workspace: Workspace }) {
  const sharing = useQuery(sharingQuery(workspace.id));
  const may = useMay();
  const [editing, setEditing] = useState(false);
  return (
    <section aria-labelledby="rail-sharing" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-sharing" title="Output sharing" aside={sharing.data ? <Button size={24} look="ghost" className="-mr-2" aria-label="Change the output sharing" blocked={may("workspaces:write") ?? may("state:read-sensitive")} onClick={() => setEditing(true)}>Change</Button> : null} />
      <p className="text-12 text-ink-2">{sharing.data ? sharingWords(sharing.data) : sharing.error ? <span role="alert" className="text-destroy">{explain(sharing.error)}</span> : <span className="skeleton inline-block h-3 w-40" />}</p>
      <Dialog open={editing} onOpenChange={setEditing} title={`Share the outputs of ${workspace.name}`} description="Whoever may plan in a workspace that reads them can see them, sensitive ones too. What is left out may read no longer, and its waiting plans are superseded.">
        {sharing.data ? <Form workspace={workspace} now={sharing.data} onClose={() => setEditing(false)} /> : null}
      </Dialog>
    </section>
  );
}

function Form({ workspace, now, onClose }: { workspace: Workspace; now: OutputSharing; onClose: () => void }) {
  const [everyone, setEveryone] = useState(now.everyone);
  const [readers, setReaders] = useState(now.readers.map((each) => each.name).join("\n"));
  const queryClient = useQueryClient();
  const save = useMutation({
    mutationFn: () => setSharing(workspace.id, { everyone, readers: everyone ? [] : readers.split(/[\s,]+/).filter(Boolean) }),
    onSuccess: (kept) => {
      queryClient.setQueryData(sharingQuery(workspace.id).queryKey, kept);
      onClose();
    },
  });
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
      <Checkbox label="With every workspace of the organization" checked={everyone} onChange={(event) => setEveryone(event.target.checked)} />
      <Field label="With these workspaces, one a line" error={save.error ? explain(save.error) : null}>{(ids) => <Textarea {...ids} rows={4} className="font-mono !text-12" spellCheck={false} disabled={everyone} value={readers} onChange={(event) => setReaders(event.target.value)} />}</Field>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} disabled={save.isPending}>Save</Button>
      </div>
    </form>
  );
}
