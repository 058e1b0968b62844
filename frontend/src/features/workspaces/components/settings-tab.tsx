import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { SectionHead } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Field, Input, Select } from "@/components/ui/field";
import { changeWorkspace, deleteWorkspace, teamsQuery } from "@/features/workspaces/api/workspaces";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import type { Workspace } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { gateChange, gateForm, gateProblem, GateSection } from "./gate-section";
import { readTags } from "./new-dialog";

/** Name and tags, the rule of the gate, and the end of the workspace. */
export function SettingsTab({ workspace, resources, backend }: { workspace: Workspace; resources: number; backend: ReactNode }) {
  const may = useMay();
  const mayWrite = may("workspaces:write");
  const mayRule = may("workspaces:rules");
  const teams = useQuery(teamsQuery).data?.items ?? [];
  const queryClient = useQueryClient();
  const [form, setForm] = useState({
    description: workspace.description, tags: workspace.tags.join(", "), engine: workspace.engine_kind ?? "", engineVersion: workspace.engine_version ?? "",
    gate: gateForm(workspace),
  });
  const [saved, setSaved] = useState(false);
  const set = (part: Partial<typeof form>) => {
    setSaved(false);
    setForm({ ...form, ...part });
  };
  const save = useMutation({
    mutationFn: () =>
      changeWorkspace(workspace.id, {
        description: form.description.trim(), tags: readTags(form.tags), engine_kind: form.engine === "tofu" || form.engine === "terraform" ? form.engine : null, engine_version: form.engineVersion.trim() || null,
        // Rules of the gate need a right of their own: they are sent only by those who hold it.
        ...(mayRule ? {} : gateChange(form.gate)),
      }),
    onSuccess: async (next) => {
      queryClient.setQueryData(keys.workspace(workspace.id), next);
      setForm((now) => ({ ...now, gate: gateForm(next) }));
      setSaved(true);
      await queryClient.invalidateQueries({ queryKey: keys.workspaces });
    },
  });
  const wrong = (field: string) => (save.error instanceof ApiError ? save.error.field(field) : undefined);
  return (
    <div className="max-w-2xl">
    <form onSubmit={(event) => { event.preventDefault(); if (!mayWrite && !gateProblem(form.gate)) save.mutate(); }}>
      <section className="flex flex-col gap-3 border-b border-line px-5 py-4">
        <SectionHead title="General" />
        <Field label="Description" error={wrong("description")}>{(ids) => <Input {...ids} disabled={Boolean(mayWrite)} value={form.description} onChange={(event) => set({ description: event.target.value })} />}</Field>
        <div className="grid grid-cols-2 gap-3">
          <Field label="Tags" hint="Separated by commas. Policies are attached by them." error={wrong("tags")}>{(ids) => <Input {...ids} disabled={Boolean(mayWrite)} value={form.tags} onChange={(event) => set({ tags: event.target.value })} />}</Field>
          <Field label="Engine">
            {(ids) => (
              <Select {...ids} disabled={Boolean(mayWrite)} value={form.engine} onChange={(event) => set({ engine: event.target.value })}>
                <option value="">the worker&apos;s first</option>
                <option value="tofu">OpenTofu</option>
                <option value="terraform">Terraform</option>
              </Select>
            )}
          </Field>
          <Field label="Engine version" hint="1.12.6, or a constraint: ~> 1.12. Empty: any. Waiting plans of another are superseded." error={wrong("engine_version")}>{(ids) => <Input {...ids} className="font-mono" disabled={Boolean(mayWrite)} value={form.engineVersion} onChange={(event) => set({ engineVersion: event.target.value })} />}</Field>
        </div>
      </section>
      <section className="flex flex-col gap-3 border-b border-line px-5 py-4">
        <GateSection form={form.gate} teams={teams} blocked={mayRule} wrong={wrong} onChange={(part) => set({ gate: { ...form.gate, ...part } })} />
        <div className="flex items-center gap-3">
          <Button type="submit" look="primary" size={32} blocked={mayWrite ?? gateProblem(form.gate)} disabled={save.isPending}>Save</Button>
          <span role="status" className="text-12 text-ink-2">{save.error ? <span className="text-destroy">{explain(save.error)}</span> : saved ? "Saved." : null}</span>
        </div>
      </section>
    </form>
    {backend}
    <DeleteSection workspace={workspace} resources={resources} blocked={mayWrite} />
    </div>
  );
}

function DeleteSection({ workspace, resources, blocked }: { workspace: Workspace; resources: number; blocked: string | null }) {
  const [typed, setTyped] = useState("");
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => deleteWorkspace(workspace.id),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.workspaces });
      await navigate({ to: "/infra/terraform", search: {} });
    },
  });
  const why = blocked ?? (resources > 0 ? `Its state holds ${plural(resources, "resource")}: destroy them first` : typed !== workspace.name ? "Type the workspace's name" : null);
  return (
    <section className="flex flex-col gap-3 px-5 py-4">
      <SectionHead title="Delete the workspace" />
      <p className="text-12 text-ink-2">{resources > 0 ? `Its state holds ${plural(resources, "resource")}. Destroy them first, or they would be left with nobody to manage them.` : "Its runs, variables and state versions go with it."}</p>
      <div className="flex items-end gap-3">
        <div className="w-64"><Field label="Type the workspace's name" error={remove.error ? explain(remove.error) : null}>{(ids) => <Input {...ids} className="font-mono" disabled={resources > 0} value={typed} onChange={(event) => setTyped(event.target.value)} />}</Field></div>
        <Button look="danger" size={32} blocked={why} disabled={remove.isPending} onClick={() => remove.mutate()}>Delete</Button>
      </div>
    </section>
  );
}
