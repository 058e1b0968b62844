export type Backend = "managed" | "local" | "s3" | "azurerm" | "gcs" | "hcp";

interface BackendField {
  name: string;
  label: string;
  hint?: string;
  example?: string;
  required: boolean;
}

interface BackendKind {
  id: Backend;
  label: string;
  about: string;
  fields: readonly BackendField[];
  /** The sensitive environment variables that the engine reads by itself. */
  credentials: string | null;
}

const need = (name: string, label: string, example?: string, hint?: string): BackendField => ({ name, label, required: true, ...(example ? { example } : {}), ...(hint ? { hint } : {}) });
const may = (name: string, label: string, example?: string, hint?: string): BackendField => ({ ...need(name, label, example, hint), required: false });

/** The backends, with the settings that most installations need; the others are written as text. */
export const BACKENDS: readonly BackendKind[] = [
  { id: "managed", label: "Sluice (managed)", about: "The engine sends its state to Sluice while it works, with locking and snapshots.", fields: [], credentials: null },
  { id: "local", label: "Sluice (local file)", about: "The engine writes a file beside the run; Sluice takes it up as it changes.", fields: [], credentials: null },
  {
    id: "s3", label: "S3", about: "A bucket of AWS or of a service that speaks S3; locked by a lock file, or by a DynamoDB table.", credentials: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    fields: [need("bucket", "Bucket", "acme-states"), need("key", "Key", "prod/network.tfstate"), need("region", "Region", "eu-west-1"), may("dynamodb_table", "DynamoDB table", undefined, "Empty: a lock file in the bucket")],
  },
  {
    id: "azurerm", label: "Azure Storage", about: "A blob, locked by its lease.", credentials: "ARM_ACCESS_KEY, or what your way of signing in needs",
    fields: [need("storage_account_name", "Storage account"), need("container_name", "Container"), need("key", "Blob", "prod.tfstate"), may("resource_group_name", "Resource group")],
  },
  { id: "gcs", label: "Google Cloud Storage", about: "An object, locked by another beside it.", credentials: "GOOGLE_CREDENTIALS", fields: [need("bucket", "Bucket"), need("prefix", "Prefix", "prod/network")] },
  {
    id: "hcp", label: "HCP Terraform", about: "A workspace of HCP Terraform or Terraform Enterprise that holds the state; runs stay with Sluice.", credentials: "TFE_TOKEN",
    fields: [need("organization", "Organization"), need("workspace", "Workspace there"), may("hostname", "Host", "app.terraform.io")],
  },
];

export function backendKind(id: string): BackendKind {
  return BACKENDS.find((each) => each.id === id) ?? { id: "managed", label: id, about: "", fields: [], credentials: null };
}

/** Whether Sluice itself keeps the state. */
export function isServed(id: string): boolean {
  return id === "managed" || id === "local";
}

export interface BackendForm {
  backend: Backend;
  values: Record<string, string>;
  /** Other settings, one a line: `name = value`, the value as JSON or as bare text. */
  other: string;
}

function literal(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The settings as the API takes them; an error names the line that can't be read. */
export function settingsOf(form: BackendForm): { settings: Record<string, unknown>; error: string | null } {
  const settings: Record<string, unknown> = {};
  for (const field of backendKind(form.backend).fields) {
    const value = form.values[field.name]?.trim();
    if (value) settings[field.name] = value;
  }
  for (const line of form.other.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    const name = line.slice(0, at).trim();
    if (at < 1 || !/^[a-z_]+$/.test(name)) return { settings, error: `“${line}” is no setting: write name = value` };
    settings[name] = literal(line.slice(at + 1).trim());
  }
  return { settings, error: null };
}

/** A form that holds what a workspace has now. */
export function formOf(backend: string, settings: Record<string, unknown>): BackendForm {
  const kind = backendKind(backend);
  const known = new Set(kind.fields.map((field) => field.name));
  const values = Object.fromEntries(kind.fields.map((field) => [field.name, typeof settings[field.name] === "string" ? (settings[field.name] as string) : ""]));
  const other = Object.entries(settings).filter(([name]) => !known.has(name)).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return { backend: kind.id, values, other: other.join("\n") };
}

/** What is missing before the form can be sent; null when nothing is. */
export function missingOf(form: BackendForm): string | null {
  const field = backendKind(form.backend).fields.find((each) => each.required && !form.values[each.name]?.trim());
  return field ? `${field.label} is missing` : settingsOf(form).error;
}
