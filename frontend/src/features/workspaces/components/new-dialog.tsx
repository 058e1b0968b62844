import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input, Select } from "@/components/ui/field";
import { createWorkspace } from "@/features/workspaces/api/workspaces";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Stack } from "@/lib/api/types";

export function NewWorkspaceDialog({ open, onOpenChange, stacks }: { open: boolean; onOpenChange: (open: boolean) => void; stacks: readonly Stack[] }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="New workspace" description="A workspace is one state of a stack, with its own variables and rules.">
      <Form stacks={stacks} onClose={() => onOpenChange(false)} />
    </Dialog>
  );
}

/** `prod, pci` as a list, without doubles. */
export function readTags(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).map((tag) => tag.trim().toLowerCase()).filter(Boolean))];
}

function Form({ stacks, onClose }: { stacks: readonly Stack[]; onClose: () => void }) {
  const [name, setName] = useState("");
  const [stack, setStack] = useState("");
  const [description, setDescription] = useState("");
  const [tags, setTags] = useState("");
  const [approvals, setApprovals] = useState("1");
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: () => {
      const required = Number(approvals);
      return createWorkspace({ name: name.trim(), stack, description: description.trim(), tags: readTags(tags), ...(required === 1 ? {} : { required_approvals: required }) });
    },
    onSuccess: async (workspace) => {
      await queryClient.invalidateQueries({ queryKey: keys.workspaces });
      await navigate({ to: "/infra/terraform/workspaces/$id", params: { id: workspace.id } });
    },
  });
  const wrong = (field: string) => (create.error instanceof ApiError ? create.error.field(field) : undefined);
  const named = create.error instanceof ApiError && (create.error.problem.errors?.length ?? 0) > 0;
  const missing = !name.trim() ? "Give it a name" : !stack ? "Choose a stack" : null;
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing) create.mutate(); }}>
      <Field label="Name" hint="Lower-case letters, digits, - _ and ." error={wrong("name")}>{(ids) => <Input {...ids} autoFocus className="font-mono" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <Field label="Stack" hint={stacks.length === 0 ? "There is no stack yet: push one with sluice stack push." : undefined} error={wrong("stack")}>
        {(ids) => (
          <Select {...ids} value={stack} onChange={(event) => setStack(event.target.value)}>
            <option value="">Choose</option>
            {stacks.map((each) => <option key={each.id} value={each.name}>{each.name}</option>)}
          </Select>
        )}
      </Field>
      <Field label="Description" error={wrong("description")}>{(ids) => <Input {...ids} value={description} onChange={(event) => setDescription(event.target.value)} />}</Field>
      <div className="grid grid-cols-[1fr_140px] gap-3">
        <Field label="Tags" hint="Separated by commas" error={wrong("tags")}>{(ids) => <Input {...ids} value={tags} onChange={(event) => setTags(event.target.value)} />}</Field>
        <Field label="Approvals needed" error={wrong("required_approvals")}>{(ids) => <Input {...ids} type="number" min={1} max={20} value={approvals} onChange={(event) => setApprovals(event.target.value)} />}</Field>
      </div>
      {create.error && !named ? <p role="alert" className="text-12 text-destroy">{explain(create.error)}</p> : null}
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={create.isPending}>Create</Button>
      </div>
    </form>
  );
}
