import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/field";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { requestMigration, setBackend } from "@/lib/api/state";
import type { Workspace } from "@/lib/api/types";
import { BackendFields } from "./backend-form";
import { type Backend, type BackendForm, formOf, missingOf, settingsOf } from "./fields";

const ABOUT = {
  move: "Plans the migration. Nothing is moved yet: the plan looks into both backends, passes policy and waits for approval. Applied, the state is written to the target, read back and compared; then the workspace uses it. The old one stays where it is.",
  choose: "There is no state yet, so nothing has to be moved. The first apply stores it there.",
};

/** Chooses another backend: at once while there is no state, by a migration through the gate when there is one. */
export function BackendDialog({ workspace, open, onClose, moves }: { workspace: Workspace; open: boolean; onClose: () => void; moves: boolean }) {
  return (
    <Dialog open={open} onOpenChange={(next) => { if (!next) onClose(); }} title={moves ? `Move the state of ${workspace.name}` : `State backend of ${workspace.name}`} description={moves ? ABOUT.move : ABOUT.choose}>
      <Form workspace={workspace} moves={moves} onClose={onClose} />
    </Dialog>
  );
}

/** Where a move goes first: away from Sluice to a bucket, or back. */
function firstTarget(now: string): Backend {
  return now === "managed" || now === "local" ? "s3" : "managed";
}

function Form({ workspace, moves, onClose }: { workspace: Workspace; moves: boolean; onClose: () => void }) {
  const [form, setForm] = useState<BackendForm>(() => (moves ? { backend: firstTarget(workspace.state_backend), values: {}, other: "" } : formOf(workspace.state_backend, workspace.state_backend_settings)));
  const [message, setMessage] = useState("");
  const [key, setKey] = useState(() => crypto.randomUUID());
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const body = () => ({ state_backend: form.backend, state_backend_settings: settingsOf(form).settings });
  const move = useMutation({
    mutationFn: () => requestMigration(workspace.id, { ...body(), ...(message.trim() ? { message: message.trim() } : {}) }, key),
    // What was refused is changed and sent anew: another body needs another key.
    onError: () => setKey(crypto.randomUUID()),
    onSuccess: async (run) => {
      void queryClient.invalidateQueries({ queryKey: keys.workspaces });
      await navigate({ to: "/infra/terraform/runs/$id", params: { id: run.id }, search: {} });
    },
  });
  const choose = useMutation({
    mutationFn: () => setBackend(workspace.id, body()),
    onSuccess: async (next) => {
      queryClient.setQueryData(keys.workspace(workspace.id), next);
      await queryClient.invalidateQueries({ queryKey: keys.workspaces });
      onClose();
    },
  });
  const sent = moves ? move : choose;
  const missing = missingOf(form);
  const placed = sent.error instanceof ApiError && (sent.error.problem.errors?.length ?? 0) > 0;
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing && !sent.isPending) sent.mutate(); }}>
      <BackendFields workspace={workspace.id} form={form} onForm={setForm} error={sent.error} besides={moves ? workspace.state_backend : undefined} />
      {moves ? <Field label="Why (the title of the run; may be empty)">{(ids) => <Input {...ids} value={message} onChange={(event) => setMessage(event.target.value)} />}</Field> : null}
      {sent.error && !placed ? <p role="alert" className="text-12 text-destroy">{explain(sent.error)}</p> : null}
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={sent.isPending}>{moves ? "Plan the migration" : "Save"}</Button>
      </div>
    </form>
  );
}
