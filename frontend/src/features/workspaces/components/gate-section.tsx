import { SectionHead } from "@/components/ui/bits";
import { Checkbox, Field, Input } from "@/components/ui/field";
import { type ConditionForm, conditionForm, conditionOf, Conditions } from "@/features/workspaces/components/conditions";
import type { Workspace, WorkspaceChange } from "@/lib/api/types";
import { readDuration, spellDuration } from "@/lib/duration";

/** The rules of the gate while they are edited. */
export interface GateForm {
  approvals: string;
  teams: string[];
  requester: boolean;
  validity: string;
  conditions: ConditionForm[];
  auto: boolean;
  autoDestroy: boolean;
  age: string;
}

export function gateForm(workspace: Workspace): GateForm {
  return {
    approvals: String(workspace.required_approvals), teams: workspace.approver_teams.map((team) => team.id), requester: workspace.requester_may_approve,
    validity: spellDuration(workspace.approval_validity_seconds), conditions: workspace.approval_conditions.map(conditionForm),
    auto: workspace.auto_apply, autoDestroy: workspace.auto_apply_allows_destroy, age: spellDuration(workspace.plan_max_age_seconds),
  };
}

export function gateChange(form: GateForm): WorkspaceChange {
  return {
    required_approvals: Number(form.approvals), approver_team_ids: form.teams, requester_may_approve: form.requester,
    approval_validity_seconds: readDuration(form.validity) ?? null, approval_conditions: form.conditions.map(conditionOf),
    auto_apply: form.auto, auto_apply_allows_destroy: form.autoDestroy, plan_max_age_seconds: readDuration(form.age) ?? null,
  };
}

/** Why the form can't be sent, before the server is asked; null when it can. */
export function gateProblem(form: GateForm): string | null {
  return durationProblem(form.validity) ?? durationProblem(form.age) ?? null;
}

function durationProblem(text: string): string | undefined {
  return readDuration(text) === undefined ? `“${text}” is no duration: write 30m, 8h or 2d` : undefined;
}

interface GateSectionProps {
  form: GateForm;
  teams: { id: string; name: string }[];
  /** Why these can't be changed; null where they can. */
  blocked: string | null;
  wrong: (field: string) => string | undefined;
  onChange: (part: Partial<GateForm>) => void;
}

const CONDITION_FIELDS = ["when", "threshold", "tag", "required_approvals", "approver_team_ids"];

/** Who approves how often, for how long, and when it takes more. */
export function GateSection({ form, teams, blocked, wrong, onChange }: GateSectionProps) {
  const off = Boolean(blocked);
  return (
    <>
      <SectionHead title="The gate" aside={off ? "Only an admin changes these" : "A change voids the approvals of waiting plans"} />
      <div className="grid grid-cols-3 gap-3 max-sm:grid-cols-1">
        <Field label="Approvals needed" error={wrong("required_approvals")}>{(ids) => <Input {...ids} type="number" min={1} max={20} disabled={off} value={form.approvals} onChange={(event) => onChange({ approvals: event.target.value })} />}</Field>
        <Field label="An approval counts for" hint="8h, 2d; empty: for ever" error={durationProblem(form.validity) ?? wrong("approval_validity_seconds")}>{(ids) => <Input {...ids} disabled={off} value={form.validity} onChange={(event) => onChange({ validity: event.target.value })} />}</Field>
        <Field label="A plan is superseded after" hint="8h, 2d; empty: never by age" error={durationProblem(form.age) ?? wrong("plan_max_age_seconds")}>{(ids) => <Input {...ids} disabled={off} value={form.age} onChange={(event) => onChange({ age: event.target.value })} />}</Field>
      </div>
      <fieldset disabled={off} className="flex flex-col gap-2">
        <legend className="mb-1 text-11 text-ink-3">Teams that approve (none: everyone with the right)</legend>
        {teams.map((team) => (
          <Checkbox key={team.id} label={team.name} checked={form.teams.includes(team.id)} onChange={(event) => onChange({ teams: event.target.checked ? [...form.teams, team.id] : form.teams.filter((each) => each !== team.id) })} />
        ))}
        {teams.length === 0 ? <p className="text-12 text-ink-2">There is no team yet.</p> : null}
      </fieldset>
      <Conditions items={form.conditions} teams={teams} disabled={off} wrong={(index) => CONDITION_FIELDS.map((field) => wrong(`approval_conditions.${index}.${field}`)).find(Boolean)} onChange={(conditions) => onChange({ conditions })} />
      <fieldset disabled={off} className="flex flex-col gap-2">
        <legend className="mb-1 text-11 text-ink-3">Rules</legend>
        <Checkbox label="The requester may approve (four-eyes is off)" checked={form.requester} onChange={(event) => onChange({ requester: event.target.checked })} />
        <Checkbox label="Apply without a person when policies pass and nothing is destroyed" checked={form.auto} onChange={(event) => onChange({ auto: event.target.checked })} />
        {form.auto ? <Checkbox label="Also when something is destroyed" className="ml-6" checked={form.autoDestroy} onChange={(event) => onChange({ autoDestroy: event.target.checked })} /> : null}
        {form.auto && form.conditions.length > 0 ? <p className="ml-6 text-12 text-ink-3">Never where a condition above asks for more approvals.</p> : null}
      </fieldset>
    </>
  );
}
