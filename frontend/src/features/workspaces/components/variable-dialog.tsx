import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Input, Select, Textarea } from "@/components/ui/field";
import { setVariable } from "@/features/workspaces/api/workspaces";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Variable } from "@/lib/api/types";

export function VariableDialog({ workspace, editing, onClose }: { workspace: string; editing: Variable | "new" | null; onClose: () => void }) {
  const variable = editing === "new" ? null : editing;
  return (
    <Dialog open={editing !== null} onOpenChange={(open) => { if (!open) onClose(); }} title={variable ? `Change ${variable.key}` : "Add a variable"}>
      <Form key={variable?.id ?? "new"} workspace={workspace} variable={variable} onClose={onClose} />
    </Dialog>
  );
}

function Form({ workspace, variable, onClose }: { workspace: string; variable: Variable | null; onClose: () => void }) {
  const [key, setKey] = useState(variable?.key ?? "");
  const [kind, setKind] = useState<string>(variable?.kind ?? "terraform");
  const [value, setValue] = useState(variable?.value ?? "");
  const [sensitive, setSensitive] = useState(variable?.is_sensitive ?? false);
  const [hcl, setHcl] = useState(variable?.is_hcl ?? false);
  const [description, setDescription] = useState(variable?.description ?? "");
  const queryClient = useQueryClient();
  const save = useMutation({
    mutationFn: () => setVariable(workspace, kind, key.trim(), { value, is_sensitive: sensitive, is_hcl: hcl, description: description.trim() }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.workspace(workspace) });
      onClose();
    },
  });
  const error = save.error instanceof ApiError ? save.error : null;
  const missing = !key.trim() ? "Give it a key" : null;
  return (
    <form className="flex flex-col gap-3 p-5" onSubmit={(event) => { event.preventDefault(); if (!missing) save.mutate(); }}>
      <div className="grid grid-cols-[1fr_140px] gap-3">
        <Field label="Key" error={error?.field("key")}>{(ids) => <Input {...ids} autoFocus={!variable} disabled={variable !== null} className="font-mono" value={key} onChange={(event) => setKey(event.target.value)} />}</Field>
        <Field label="Kind">
          {(ids) => (
            <Select {...ids} disabled={variable !== null} value={kind} onChange={(event) => setKind(event.target.value)}>
              <option value="terraform">terraform</option>
              <option value="env">env</option>
            </Select>
          )}
        </Field>
      </div>
      <Field label="Value" hint={variable?.is_sensitive ? "What is stored can't be shown. What you write here takes its place." : undefined} error={error?.field("value") ?? (save.error ? explain(save.error) : null)}>
        {(ids) =>
          sensitive ? (
            <Input {...ids} type="password" autoComplete="new-password" autoFocus={variable !== null} className="font-mono" value={value} onChange={(event) => setValue(event.target.value)} />
          ) : (
            <Textarea {...ids} rows={3} autoFocus={variable !== null} className="font-mono !text-12" value={value} onChange={(event) => setValue(event.target.value)} />
          )
        }
      </Field>
      <Field label="Description">{(ids) => <Input {...ids} value={description} onChange={(event) => setDescription(event.target.value)} />}</Field>
      <div className="flex gap-5">
        <Checkbox label="Sensitive: encrypted, write-only, masked everywhere" checked={sensitive} onChange={(event) => setSensitive(event.target.checked)} />
        {kind === "terraform" ? <Checkbox label="HCL expression" checked={hcl} onChange={(event) => setHcl(event.target.checked)} /> : null}
      </div>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={save.isPending}>Save</Button>
      </div>
    </form>
  );
}
