/** What a state file says of itself, before it is sent. */
export interface StateGlance {
  serial: number;
  lineage: string;
  engine: string;
  resources: number;
}

/** Reads a state file (format 4, JSON); the answer is a sentence when it is none. The API has the last word. */
export function glance(text: string): StateGlance | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return "This file is not JSON; it may be cut short.";
  }
  if (typeof document !== "object" || document === null) return "This file is no state.";
  const state = document as { version?: unknown; serial?: unknown; lineage?: unknown; terraform_version?: unknown; resources?: { mode?: string; instances?: unknown[] }[]; encrypted_data?: unknown };
  if (state.encrypted_data !== undefined) return "OpenTofu has encrypted this state. Send what “tofu state pull” prints where its key is.";
  if (state.version !== 4 || typeof state.serial !== "number" || typeof state.lineage !== "string") return "This file is no state of format 4: it lacks its version, serial or lineage.";
  const managed = (state.resources ?? []).filter((each) => each.mode !== "data");
  return { serial: state.serial, lineage: state.lineage, engine: typeof state.terraform_version === "string" ? state.terraform_version : "not said", resources: managed.reduce((sum, each) => sum + (each.instances?.length ?? 0), 0) };
}
