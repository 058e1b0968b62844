import type { PlanOutput, PlanResource, QuarantinedState, StateChange, StateOutputChange, StateVersion } from "@/lib/api/types";
import type { PlanAttribute } from "@/lib/diff/attributes";

const ACTIONS = { add: "create", remove: "delete", change: "update" } as const;

function attribute(each: StateChange["attributes"][number]): PlanAttribute {
  return { path: each.path, action: ACTIONS[each.op], before: each.before, after: each.after, before_sensitive: each.sensitive, after_sensitive: each.sensitive };
}

/** A difference between states in the shape of a plan's changes, so that one tree shows both. */
export function changeAsPlanned(change: StateChange): PlanResource {
  return {
    address: change.address, module: change.module, mode: change.mode, type: change.type, name: change.name, provider: change.provider,
    action: ACTIONS[change.op], replace_order: null, reason: null, attributes: change.attributes.map(attribute), unchanged_count: 0,
  };
}

export function outputAsPlanned(output: StateOutputChange): PlanOutput {
  return { name: output.name, action: ACTIONS[output.op], before: output.before, after: output.after, sensitive: output.sensitive, after_unknown: false };
}

const KINDS: Record<string, string> = {
  applied: "applied",
  snapshot: "snapshot during an apply",
  errored: "left by a failed apply",
  rolled_back: "rolled back",
  imported: "imported",
  recovered: "recovered from quarantine",
  pulled: "pulled from its backend",
};

/** How a version came to be. */
export function kindWords(version: Pick<StateVersion, "kind">): string {
  return KINDS[version.kind] ?? version.kind.replaceAll("_", " ");
}

const REFUSALS: Record<string, string> = {
  state_conflict: "does not follow the current state",
  state_serial_outdated: "its serial is not newer",
  state_lineage_foreign: "another lineage",
  state_unreadable: "is no whole state",
  state_truncated: "cut short",
  state_digest_mismatch: "its digest is not what was announced",
  state_locked: "sent after the lock went to another",
  state_lock_lost: "sent after the lock was taken away",
  state_lock_id_wrong: "sent with another lock's id",
  state_locked_by_another: "sent while another held the lock",
  run_credential_foreign: "sent with another workspace's credential",
  run_credential_quiesced: "sent by a run that had ended",
  plan_credential_reads_only: "sent by a plan, which only reads",
};

/** Why a state was refused, in a few words. */
export function refusalWords(state: Pick<QuarantinedState, "code">): string {
  return REFUSALS[state.code] ?? state.code.replaceAll("_", " ");
}

/** `registry.opentofu.org/hashicorp/aws` is known to people as `hashicorp/aws`. */
export function providerName(source: string): string {
  const parts = source.split("/");
  return parts.length > 2 ? parts.slice(-2).join("/") : source;
}

/** Lineages are UUIDs; their ends tell them apart. */
export function shortLineage(lineage: string): string {
  return lineage.length > 16 ? `${lineage.slice(0, 8)}…${lineage.slice(-4)}` : lineage;
}

const BACKENDS: Record<string, string> = { managed: "Sluice (managed)", local: "Sluice (local file)", s3: "S3", azurerm: "Azure Storage", gcs: "Google Cloud Storage", hcp: "HCP Terraform" };

/** Where a state lies, by the name that people use. */
export function backendName(backend: string): string {
  return BACKENDS[backend] ?? backend;
}
