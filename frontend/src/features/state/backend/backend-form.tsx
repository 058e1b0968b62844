import { Link } from "@tanstack/react-router";
import { KeyRound } from "lucide-react";
import { Field, Input, Select, Textarea } from "@/components/ui/field";
import { ApiError } from "@/lib/api/http";
import { BACKENDS, type Backend, backendKind, type BackendForm } from "./fields";

/** Which backend, with its settings. Secrets have no place here: they would lie in every saved plan. */
export function BackendFields({ workspace, form, onForm, error, besides }: {
  workspace: string;
  form: BackendForm;
  onForm: (form: BackendForm) => void;
  error: unknown;
  /** A backend that is no choice, since the state lies there. */
  besides?: Backend | undefined;
}) {
  const kind = backendKind(form.backend);
  const wrong = (name: string) => (error instanceof ApiError ? error.field(name) : undefined);
  const others = error instanceof ApiError ? (error.problem.errors ?? []).filter((each) => !kind.fields.some((field) => each.field.endsWith(`.${field.name}`))) : [];
  return (
    <>
      <Field label="Backend" hint={kind.about}>
        {(ids) => (
          <Select {...ids} value={form.backend} onChange={(event) => onForm({ backend: event.target.value as Backend, values: {}, other: "" })}>
            {BACKENDS.filter((each) => each.id !== besides || each.fields.length > 0).map((each) => <option key={each.id} value={each.id}>{each.label}</option>)}
          </Select>
        )}
      </Field>
      {kind.fields.length > 0 ? (
        <>
          <div className="grid grid-cols-2 gap-3 max-sm:grid-cols-1">
            {kind.fields.map((field) => (
              <Field key={field.name} label={field.required ? field.label : `${field.label} (may be empty)`} hint={field.hint} error={wrong(field.name)}>
                {(ids) => <Input {...ids} className="font-mono !text-12" placeholder={field.example} value={form.values[field.name] ?? ""} onChange={(event) => onForm({ ...form, values: { ...form.values, [field.name]: event.target.value } })} />}
              </Field>
            ))}
          </div>
          <Field label="Other settings, one a line" hint="name = value, by the engine's own names; a value may be JSON" error={others.length > 0 ? others.map((each) => `${each.field.replace("state_backend_settings.", "")}: ${each.message}`).join("; ") : null}>
            {(ids) => <Textarea {...ids} rows={2} className="font-mono !text-12" spellCheck={false} value={form.other} onChange={(event) => onForm({ ...form, other: event.target.value })} />}
          </Field>
          {kind.credentials ? (
            <p className="flex gap-2 text-12 text-ink-2">
              <KeyRound size={13} className="mt-0.5 shrink-0" aria-hidden />
              <span>Credentials are <Link to="/infra/terraform/workspaces/$id" params={{ id: workspace }} search={{ tab: "variables" }} className="link">sensitive environment variables</Link> of the workspace: {kind.credentials}.</span>
            </p>
          ) : null}
        </>
      ) : null}
    </>
  );
}
