import { Plus, X } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Checkbox, Input, Select } from "@/components/ui/field";
import type { ApprovalCondition, ApprovalConditionIn } from "@/lib/api/types";

/** A condition while it is edited: numbers as they are typed. */
export interface ConditionForm {
  key: number;
  when: ApprovalCondition["when"];
  threshold: string;
  tag: string;
  approvals: string;
  teams: string[];
}

const WHEN: Record<ApprovalCondition["when"], string> = {
  deletes: "it destroys or replaces anything",
  changes_over: "it changes more resources than",
  tag: "a resource that changes is tagged",
};
let nextKey = 0;

export function conditionForm(from: ApprovalCondition): ConditionForm {
  return { key: nextKey++, when: from.when, threshold: from.threshold === null ? "" : String(from.threshold), tag: from.tag ?? "", approvals: String(from.required_approvals), teams: from.approver_teams.map((team) => team.id) };
}

export function conditionOf(form: ConditionForm): ApprovalConditionIn {
  return {
    when: form.when,
    threshold: form.when === "changes_over" && form.threshold !== "" ? Number(form.threshold) : null,
    tag: form.when === "tag" && form.tag.trim() !== "" ? form.tag.trim() : null,
    required_approvals: Number(form.approvals), approver_team_ids: form.teams,
  };
}

interface ConditionsProps {
  items: ConditionForm[];
  teams: { id: string; name: string }[];
  disabled: boolean;
  /** What is wrong with a field of the condition at this index, as the server says it. */
  wrong: (index: number) => string | undefined;
  onChange: (items: ConditionForm[]) => void;
}

/** When a plan needs more approvals: each condition that holds is met by itself. */
export function Conditions({ items, teams, disabled, wrong, onChange }: ConditionsProps) {
  const put = (index: number, part: Partial<ConditionForm>) => onChange(items.map((each, at) => (at === index ? { ...each, ...part } : each)));
  return (
    <fieldset disabled={disabled} className="flex flex-col gap-2">
      <legend className="mb-1 text-11 text-ink-3">More approvals are needed when</legend>
      {items.length === 0 ? <p className="text-12 text-ink-2">Never: every plan needs the same.</p> : null}
      <ul className="flex flex-col gap-2">
        {items.map((item, index) => (
          <li key={item.key} className="rounded-ctl border border-line bg-raised p-2">
            <div className="flex flex-wrap items-center gap-2">
              <div className="w-64 max-sm:w-full">
                <Select aria-label="When" value={item.when} onChange={(event) => put(index, { when: event.target.value as ConditionForm["when"] })}>
                  {Object.entries(WHEN).map(([when, words]) => <option key={when} value={when}>{words}</option>)}
                </Select>
              </div>
              {item.when === "changes_over" ? <div className="w-16"><Input aria-label="More resources than" type="number" min={0} required value={item.threshold} onChange={(event) => put(index, { threshold: event.target.value })} /></div> : null}
              {item.when === "tag" ? <div className="w-36 max-sm:w-full"><Input aria-label="Tag" required placeholder="env=prod" className="font-mono" value={item.tag} onChange={(event) => put(index, { tag: event.target.value })} /></div> : null}
              <span className="flex items-center gap-2 text-12 text-ink-2">
                takes
                <span className="w-14"><Input aria-label="Approvals" type="number" min={1} max={20} required value={item.approvals} onChange={(event) => put(index, { approvals: event.target.value })} /></span>
                approvals
              </span>
              <Button look="ghost" size={24} className="ml-auto" icon={<X size={13} />} aria-label={`Remove: ${WHEN[item.when]} ${item.tag || item.threshold}`.trim()} disabled={disabled} onClick={() => onChange(items.filter((_, at) => at !== index))} />
            </div>
            {teams.length > 0 ? (
              <div className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-1">
                <span className="text-12 text-ink-3">of {item.teams.length === 0 ? "whoever may approve; or only of" : "members of"}</span>
                {teams.map((team) => (
                  <Checkbox key={team.id} label={team.name} checked={item.teams.includes(team.id)} onChange={(event) => put(index, { teams: event.target.checked ? [...item.teams, team.id] : item.teams.filter((each) => each !== team.id) })} />
                ))}
              </div>
            ) : null}
            {wrong(index) ? <p role="alert" className="mt-1 text-12 text-destroy">{wrong(index)}</p> : null}
          </li>
        ))}
      </ul>
      <div>
        <Button size={24} icon={<Plus size={13} />} disabled={disabled || items.length >= 20} onClick={() => onChange([...items, { key: nextKey++, when: "deletes", threshold: "", tag: "", approvals: "2", teams: [] }])}>Add a condition</Button>
      </div>
    </fieldset>
  );
}
