import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Checkbox, Field, Input, Select } from "@/components/ui/field";
import { Segmented } from "@/components/ui/tabs";
import { type Level, type RehearsalBody, startRehearsal } from "@/features/policies/api/policies";
import { LevelChoice } from "@/features/policies/components/level";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { workspaceNamesQuery } from "@/lib/api/workspaces";

type Scope = "all" | "workspaces" | "tag";
const MOST = 500;

/** Which past plans, how many, at what level. `what` is the draft or the set that is rehearsed. */
export function RehearsalForm({ what, onStarted }: { what: Pick<RehearsalBody, "draft" | "policy_set_uri">; onStarted: (id: string) => void }) {
  const queryClient = useQueryClient();
  const rows = useQuery(workspaceNamesQuery).data?.items ?? [];
  const tags = [...new Set(rows.flatMap((row) => row.tags))].sort();
  const [scope, setScope] = useState<Scope>("all");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [tag, setTag] = useState("");
  const [last, setLast] = useState("100");
  const [level, setLevel] = useState<Level>("hard-mandatory");
  const n = Number(last);
  const start = useMutation({
    mutationFn: () => startRehearsal({ ...what, enforcement_level: level, last: n, ...(scope === "workspaces" ? { workspaces: [...chosen] } : scope === "tag" ? { tag } : {}) }),
    onSuccess: async (rehearsal) => {
      await queryClient.invalidateQueries({ queryKey: keys.rehearsals });
      onStarted(rehearsal.id);
    },
  });
  const missing = scope === "workspaces" && chosen.length === 0 ? "Choose a workspace" : scope === "tag" && !tag ? "Choose a tag" : !Number.isInteger(n) || n < 1 || n > MOST ? `Between 1 and ${MOST} plans` : null;
  return (
    <form className="flex flex-col gap-3 px-4 py-3" onSubmit={(event) => { event.preventDefault(); if (!missing) start.mutate(); }}>
      <div>
        <p className="mb-1 text-11 text-ink-3">Plans of</p>
        <Segmented<Scope> label="Plans of" value={scope} onChange={setScope} options={[{ value: "all", label: "Every workspace" }, { value: "tag", label: "A tag" }, { value: "workspaces", label: "Chosen workspaces" }]} />
      </div>
      {scope === "workspaces" ? (
        <fieldset className="max-h-40 overflow-auto rounded-ctl border border-line p-2">
          <legend className="sr-only">Workspaces</legend>
          <div className="grid grid-cols-2 gap-x-4 gap-y-1 max-sm:grid-cols-1">
            {rows.map((row) => <Checkbox key={row.id} label={row.name} checked={chosen.includes(row.id)} onChange={(event) => setChosen(event.target.checked ? [...chosen, row.id] : chosen.filter((each) => each !== row.id))} />)}
          </div>
        </fieldset>
      ) : null}
      {scope === "tag" ? <Field label="Tag">{(ids) => <Select {...ids} value={tag} onChange={(event) => setTag(event.target.value)}><option value="">Choose</option>{tags.map((each) => <option key={each}>{each}</option>)}</Select>}</Field> : null}
      <div className="flex flex-wrap items-end gap-x-5 gap-y-3">
        <div className="w-24"><Field label="Newest plans">{(ids) => <Input {...ids} type="number" min={1} max={MOST} value={last} onChange={(event) => setLast(event.target.value)} />}</Field></div>
        <div><p className="mb-1 text-11 text-ink-3">As if attached as</p><div className="flex h-8 items-center"><LevelChoice terse value={level} onChange={setLevel} /></div></div>
        <Button type="submit" look="primary" size={32} className="ml-auto" icon={<Play size={13} />} blocked={missing} disabled={start.isPending}>Rehearse</Button>
      </div>
      {start.error ? <p role="alert" className="text-12 whitespace-pre-wrap text-destroy">{explain(start.error)}</p> : null}
    </form>
  );
}
