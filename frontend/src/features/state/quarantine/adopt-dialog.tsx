import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Textarea } from "@/components/ui/field";
import { TypedName } from "@/components/ui/typed-name";
import { explain } from "@/lib/api/http";
import { adoptQuarantined } from "@/lib/api/state";
import type { QuarantinedState, StateVersion, Workspace } from "@/lib/api/types";

interface Props {
  workspace: Workspace;
  state: QuarantinedState | null;
  current: StateVersion | null;
  onClose: () => void;
  onDone: (version: StateVersion) => Promise<void>;
}

/** Makes a quarantined state the current one: it goes around the gate, so the name is typed and the reason kept. */
export function AdoptDialog({ state, workspace, onClose, ...rest }: Props) {
  return (
    <Dialog
      open={state !== null}
      onOpenChange={(open) => { if (!open) onClose(); }}
      title="Make this the current state"
      description="It becomes the workspace's next state version. No infrastructure is touched. Plans that wait are superseded, since what they were made from has moved: plan again to see what the engine thinks of it."
    >
      {state ? <Form key={state.id} state={state} workspace={workspace} onClose={onClose} {...rest} /> : null}
    </Dialog>
  );
}

function Form({ workspace, state, current, onClose, onDone }: Props & { state: QuarantinedState }) {
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [replace, setReplace] = useState(false);
  const foreign = current !== null && Boolean(state.lineage) && state.lineage !== current.lineage;
  const adopt = useMutation({ mutationFn: () => adoptQuarantined(state.id, { reason: reason.trim(), replace_lineage: replace }), onSuccess: onDone });
  const raised = current !== null && state.serial !== null && state.serial <= current.serial;
  const missing = !reason.trim() ? "Say why" : foreign && !replace ? "Say that another lineage is meant" : typed !== workspace.name ? "Type the workspace's name" : null;
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing) adopt.mutate(); }}>
      {raised ? <p className="text-12 text-ink-2">Its serial is {state.serial}, the current one&apos;s is {current.serial}: it is raised to {current.serial + 1}.</p> : null}
      {foreign ? <Checkbox label="It is of another lineage, the state of something else by its origin. Take it all the same" className="!items-start rounded-chip bg-replace-bg p-2" checked={replace} onChange={(event) => setReplace(event.target.checked)} /> : null}
      <Field label="Why (kept in the audit trail)" error={adopt.error ? explain(adopt.error) : null}>{(ids) => <Textarea {...ids} autoFocus value={reason} onChange={(event) => setReason(event.target.value)} />}</Field>
      <Field label="Type the workspace's name">{(ids) => <TypedName id={ids.id} wide name={workspace.name} typed={typed} onTyped={setTyped} />}</Field>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="danger" size={32} blocked={missing} disabled={adopt.isPending}>Make it current</Button>
      </div>
    </form>
  );
}
