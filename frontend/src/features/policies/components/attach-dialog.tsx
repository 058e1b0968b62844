import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Input, Select } from "@/components/ui/field";
import { Segmented } from "@/components/ui/tabs";
import { attach, type Level, setsQuery } from "@/features/policies/api/policies";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { workspaceNamesQuery } from "@/lib/api/workspaces";
import { LevelChoice } from "./level";

type Target = "organization" | "tag" | "workspace";

/** Binds a policy set to plans. `uri` null keeps it shut; an empty one lets it be chosen. */
export function AttachDialog({ uri, onClose, onAttached }: { uri: string | null; onClose: () => void; onAttached?: () => void }) {
  return (
    <Dialog open={uri !== null} onOpenChange={(open) => { if (!open) onClose(); }} title="Attach a policy set" description="It is pinned as it is now, and moves only when it is synced. Rehearse it first to see what it would have blocked.">
      {uri === null ? null : <Form key={uri} given={uri} onClose={onClose} onAttached={onAttached ?? onClose} />}
    </Dialog>
  );
}

function Form({ given, onClose, onAttached }: { given: string; onClose: () => void; onAttached: () => void }) {
  const queryClient = useQueryClient();
  const sets = useQuery(setsQuery).data ?? [];
  const workspaces = useQuery(workspaceNamesQuery).data?.items ?? [];
  const tags = [...new Set(workspaces.flatMap((row) => row.tags))].sort();
  const [choice, setChoice] = useState(given);
  const [address, setAddress] = useState("");
  const [level, setLevel] = useState<Level>("soft-mandatory");
  const [target, setTarget] = useState<Target>("organization");
  const [tag, setTag] = useState("");
  const [workspace, setWorkspace] = useState("");
  const [waives, setWaives] = useState(false);
  const uri = choice === "other" ? address.trim() : choice;
  const act = useMutation({
    mutationFn: () => attach({ policy_set_uri: uri, enforcement_level: level, ...(target === "tag" ? { tag: tag.trim() } : target === "workspace" ? { workspace } : {}), ...(level === "advisory" && waives ? { waives_unevaluable: true } : {}) }),
    onSuccess: async () => {
      await Promise.all([keys.attachments, keys.policySets, keys.runs, keys.inbox].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
      onAttached();
    },
  });
  const wrong = (field: string) => (act.error instanceof ApiError ? act.error.field(field) : undefined);
  const named = act.error instanceof ApiError && (act.error.problem.errors?.length ?? 0) > 0;
  const missing = !uri ? "Choose a policy set" : target === "tag" && !tag.trim() ? "Name the tag" : target === "workspace" && !workspace ? "Choose the workspace" : null;
  const listed = given === "" || sets.some((set) => set.uri === given);
  return (
    <form className="flex flex-col gap-3.5 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing) act.mutate(); }}>
      <Field label="Policy set" error={choice === "other" ? undefined : wrong("policy_set_uri")}>
        {(ids) => (
          <Select {...ids} value={choice} onChange={(event) => setChoice(event.target.value)}>
            <option value="">Choose</option>
            {listed ? null : <option value={given}>{given}</option>}
            {sets.map((set) => <option key={set.uri} value={set.uri} disabled={set.error !== null}>{set.name}{set.title === set.name ? "" : `: ${set.title}`}{set.error ? " (broken)" : ""}</option>)}
            <option value="other">Another address</option>
          </Select>
        )}
      </Field>
      {choice === "other" ? <Field label="Its address" hint="policies/NAME, upload:sha256:…, or git+https://host/repo.git//path?ref=v1" error={wrong("policy_set_uri")}>{(ids) => <Input {...ids} className="font-mono !text-12" value={address} onChange={(event) => setAddress(event.target.value)} />}</Field> : null}
      <div><p className="mb-1 text-11 text-ink-3">Enforcement level</p><LevelChoice value={level} onChange={setLevel} /></div>
      <div>
        <p className="mb-1 text-11 text-ink-3">What it binds</p>
        <Segmented<Target> label="What it binds" value={target} onChange={setTarget} options={[{ value: "organization", label: "Organization" }, { value: "tag", label: "Tag" }, { value: "workspace", label: "Workspace" }]} />
        {target === "organization" ? <p className="mt-1 text-12 text-ink-2">Every plan of every workspace, those made later too.</p> : null}
      </div>
      {target === "tag" ? (
        <Field label="Tag" hint="Workspaces that get it later are bound, too" error={wrong("tag")}>
          {(ids) => <><Input {...ids} list="policy-tags" value={tag} onChange={(event) => setTag(event.target.value)} /><datalist id="policy-tags">{tags.map((each) => <option key={each} value={each} />)}</datalist></>}
        </Field>
      ) : null}
      {target === "workspace" ? (
        <Field label="Workspace" error={wrong("workspace")}>
          {(ids) => <Select {...ids} value={workspace} onChange={(event) => setWorkspace(event.target.value)}><option value="">Choose</option>{workspaces.map((row) => <option key={row.id} value={row.id}>{row.name}</option>)}</Select>}
        </Field>
      ) : null}
      {level === "advisory" ? <Checkbox label="Let a plan pass that it can't be evaluated over" checked={waives} onChange={(event) => setWaives(event.target.checked)} /> : null}
      {act.error && !named ? <p role="alert" className="text-12 text-destroy">{explain(act.error)}</p> : null}
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={act.isPending}>Attach</Button>
      </div>
    </form>
  );
}
