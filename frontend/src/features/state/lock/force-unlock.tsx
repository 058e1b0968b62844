import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Textarea } from "@/components/ui/field";
import { TypedName } from "@/components/ui/typed-name";
import { explain } from "@/lib/api/http";
import { forceUnlock } from "@/lib/api/state";
import type { Lock, Workspace } from "@/lib/api/types";

/** Takes another's lock away: the name is typed and the reason kept, since what they were doing is not known. */
export function ForceUnlockDialog({ workspace, lock, onClose, onDone }: { workspace: Workspace; lock: Lock | null; onClose: () => void; onDone: () => Promise<void> }) {
  return (
    <Dialog open={lock !== null} onOpenChange={(open) => { if (!open) onClose(); }} title={`Force-unlock ${workspace.name}`} description={lock ? `${lock.holder.name ?? "Somebody"} locked it by hand: “${lock.reason}”. Ask first. What they were changing outside Sluice is not known, and what waits starts at once.` : ""}>
      {lock ? <Form key={lock.acquired_at} workspace={workspace} onClose={onClose} onDone={onDone} /> : null}
    </Dialog>
  );
}

function Form({ workspace, onClose, onDone }: { workspace: Workspace; onClose: () => void; onDone: () => Promise<void> }) {
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const take = useMutation({
    mutationFn: () => forceUnlock(workspace.id, reason.trim()),
    onSuccess: async () => {
      await onDone();
      onClose();
    },
  });
  const missing = !reason.trim() ? "Say why" : typed !== workspace.name ? "Type the workspace's name" : null;
  const submit = () => {
    if (!missing && !take.isPending) take.mutate();
  };
  return (
    <form
      className="flex flex-col gap-3 p-5 pt-3"
      onSubmit={(event) => { event.preventDefault(); submit(); }}
      onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit(); }}
    >
      <Field label="Why (kept in the audit trail)" error={take.error ? explain(take.error) : null}>{(ids) => <Textarea {...ids} autoFocus value={reason} onChange={(event) => setReason(event.target.value)} />}</Field>
      <Field label="Type the workspace's name">{(ids) => <TypedName id={ids.id} wide name={workspace.name} typed={typed} onTyped={setTyped} />}</Field>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it locked</Button>
        <Button type="submit" look="danger" size={32} keys="⌘ ↵" blocked={missing} disabled={take.isPending}>Take the lock away</Button>
      </div>
    </form>
  );
}
