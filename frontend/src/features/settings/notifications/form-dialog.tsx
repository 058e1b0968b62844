import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Input } from "@/components/ui/field";
import { Segmented } from "@/components/ui/tabs";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Notification, WorkspaceRow } from "@/lib/api/types";
import { workspaceNamesQuery } from "@/lib/api/workspaces";
import { changeNotification, createNotification } from "./api";
import { changeOf, creation, formOf, missingOf, type NotificationForm, type Where } from "./form";
import { EVENT_NAMES, EVENTS } from "./words";

const NONE: readonly WorkspaceRow[] = [];
const FORMATS: Record<Notification["format"], string> = {
  sluice: "JSON with a signature, for your own receivers (Standard Webhooks).",
  slack: "A message for an incoming webhook of Slack, or of what takes its format.",
};

/** Makes a destination, or changes one. `of` is undefined while it is shut, and null for a new one. */
export function NotificationDialog({ of, onClose, onSaved }: { of: Notification | null | undefined; onClose: () => void; onSaved: (saved: Notification) => void }) {
  return (
    <Dialog open={of !== undefined} onOpenChange={(open) => { if (!open) onClose(); }} title={of ? `Change ${of.name}` : "Add a destination"} description={of ? undefined : "Sluice sends what happens to runs there. Only addresses of the public internet, unless the operator has permitted more."}>
      {of === undefined ? null : <Form key={of?.id ?? "new"} of={of} onClose={onClose} onSaved={onSaved} />}
    </Dialog>
  );
}

function Form({ of, onClose, onSaved }: { of: Notification | null; onClose: () => void; onSaved: (saved: Notification) => void }) {
  const queryClient = useQueryClient();
  const rows = useQuery(workspaceNamesQuery).data?.items ?? NONE;
  const [form, setForm] = useState<NotificationForm>(() => formOf(of));
  const set = (part: Partial<NotificationForm>) => setForm({ ...form, ...part });
  const save = useMutation({
    mutationFn: () => (of ? changeNotification(of.id, changeOf(of, form)) : createNotification(creation(form))),
    onSuccess: async (saved) => {
      await Promise.all([keys.notifications, keys.notification(saved.id)].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
      onSaved(saved);
    },
  });
  const unchanged = of && Object.keys(changeOf(of, form)).length === 0 ? "Nothing was changed" : null;
  const missing = missingOf(form, of === null) ?? unchanged;
  const error = save.error instanceof ApiError ? save.error : null;
  const wrong = (field: string) => error?.field(field) ?? (field === "url" && error?.code === "outgoing_refused" ? error.message : undefined);
  const named = ["name", "url", "format", "events", "tag", "workspaces"].some((field) => wrong(field));
  const tags = [...new Set(rows.flatMap((row) => row.tags))].sort();
  return (
    <form className="flex flex-col gap-3.5 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing) save.mutate(); }}>
      <Field label="Name" error={wrong("name")}>{(ids) => <Input {...ids} autoFocus maxLength={100} value={form.name} onChange={(event) => set({ name: event.target.value })} />}</Field>
      <Field label="Address" error={wrong("url")} hint={of ? <>Now <span className="font-mono">{of.url}</span>; its path is a secret and is not shown. Left empty, it stays.</> : "Kept sealed; shown without its path later."}>
        {(ids) => <Input {...ids} type="url" inputMode="url" className="font-mono !text-12" placeholder={of ? "" : "https://hooks.example.org/sluice"} maxLength={2000} value={form.url} onChange={(event) => set({ url: event.target.value })} />}
      </Field>
      <Part title="Format" note={wrong("format") ?? FORMATS[form.format]} isWrong={Boolean(wrong("format"))}>
        <Segmented label="Format" value={form.format} onChange={(format) => set({ format })} options={[{ value: "sluice", label: "Sluice" }, { value: "slack", label: "Slack" }]} />
      </Part>
      <fieldset className="flex flex-col">
        <legend className="mb-1 text-11 text-ink-3">Tell it when</legend>
        {EVENT_NAMES.map((name) => <Checkbox key={name} className="min-h-6 max-sm:min-h-9" label={EVENTS[name]} checked={form.events.includes(name)} onChange={(event) => set({ events: event.target.checked ? [...form.events, name] : form.events.filter((each) => each !== name) })} />)}
        {wrong("events") ? <p className="text-12 text-destroy">{wrong("events")}</p> : null}
      </fieldset>
      <Part title="Of which workspaces" note={form.where === "every" ? "Every workspace, those made later too." : undefined}>
        <Segmented<Where> label="Of which workspaces" value={form.where} onChange={(where) => set({ where })} options={[{ value: "every", label: "Every" }, { value: "tag", label: "Tag" }, { value: "workspaces", label: "Chosen" }]} />
      </Part>
      {form.where === "tag" ? (
        <Field label="Tag" hint="Workspaces that get it later are heard of, too" error={wrong("tag")}>
          {(ids) => <><Input {...ids} list="notification-tags" value={form.tag} onChange={(event) => set({ tag: event.target.value })} /><datalist id="notification-tags">{tags.map((each) => <option key={each} value={each} />)}</datalist></>}
        </Field>
      ) : null}
      {form.where === "workspaces" ? <Chosen rows={rows} chosen={form.workspaces} wrong={wrong("workspaces")} onChange={(workspaces) => set({ workspaces })} /> : null}
      {save.error && !named ? <p role="alert" className="text-12 text-destroy">{explain(save.error)}</p> : null}
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={save.isPending}>{of ? "Save" : "Add"}</Button>
      </div>
    </form>
  );
}

function Part({ title, note, isWrong = false, children }: { title: string; note?: string | undefined; isWrong?: boolean; children: ReactNode }) {
  return (
    <div>
      <p className="mb-1 text-11 text-ink-3">{title}</p>
      {children}
      {note ? <p className={isWrong ? "mt-1 text-12 text-destroy" : "mt-1 text-12 text-ink-3"}>{note}</p> : null}
    </div>
  );
}

/** The workspaces to hear of, found by their names; what was chosen stays in sight. */
function Chosen({ rows, chosen, wrong, onChange }: { rows: readonly WorkspaceRow[]; chosen: readonly string[]; wrong: string | undefined; onChange: (chosen: string[]) => void }) {
  const [needle, setNeedle] = useState("");
  const known = new Set(rows.map((row) => row.id));
  const gone = chosen.filter((id) => !known.has(id)).map((id) => ({ id, name: id }));
  const shown = [...rows, ...gone].filter((row) => chosen.includes(row.id) || row.name.toLowerCase().includes(needle.trim().toLowerCase()));
  return (
    <fieldset>
      <legend className="mb-1 text-11 text-ink-3">Workspaces, {chosen.length} chosen</legend>
      {rows.length > 8 ? <Input aria-label="Find a workspace" placeholder="Find" className="mb-1.5" value={needle} onChange={(event) => setNeedle(event.target.value)} /> : null}
      <div className="flex max-h-40 flex-col overflow-auto rounded-ctl border border-line-2 px-2.5 py-1">
        {shown.map((row) => <Checkbox key={row.id} className="min-h-6 shrink-0 max-sm:min-h-9" label={row.name} checked={chosen.includes(row.id)} onChange={(event) => onChange(event.target.checked ? [...chosen, row.id] : chosen.filter((each) => each !== row.id))} />)}
        {shown.length === 0 ? <p className="text-12 text-ink-3">No workspace is named so.</p> : null}
      </div>
      {wrong ? <p className="mt-1 text-12 text-destroy">{wrong}</p> : null}
    </fieldset>
  );
}
