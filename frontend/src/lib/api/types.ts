/**
 * What the API answers, by the names that the UI uses. The shapes are those of the generated document; where that says
 * no more than “object”, the members that the UI reads are named here.
 */
import type { PlanAttribute } from "@/lib/diff/attributes";
import type { components } from "./schema.gen";

type Schemas = components["schemas"];
type With<T, Members> = Omit<T, keyof Members> & Members;

export interface Who {
  id: string;
  kind: string;
  name: string;
}
export type Ref = Schemas["Named"];
export type Me = Schemas["Me"];
export type Version = Schemas["VersionOut"];
export type RunSummary = Pick<Schemas["Summary"], "add" | "change" | "destroy" | "replace"> & Partial<Schemas["Summary"]>;
export type RunListItem = With<Schemas["RunListItem"], { summary: RunSummary | null; status: string; kind: string }>;
export type QueuePlace = Schemas["QueuePlace"];
export type Queue = Schemas["QueueOut"];
export type Worker = Schemas["WorkerOut"];
export type Estimate = Schemas["EstimateOut"];
export type PolicyCheck = Schemas["PolicyCheckOut"];
export type Override = Schemas["OverrideOut"];
export type Decision = Schemas["DecisionOut"];
export type Lock = With<Schemas["LockOut"], { holder: { id?: string; name?: string; host?: string; kind?: string } }>;

export interface Diagnostic {
  severity?: string;
  summary?: string;
  detail?: string;
  address?: string | null;
}

interface ProofOfDeath {
  kind: string;
  at: string;
  pid?: number | null;
  exit_code?: number | null;
  signal?: number | null;
  detail?: string;
}

export type Run = With<
  Schemas["RunOut"],
  {
    summary: RunSummary | null;
    status: string;
    kind: string;
    engine: { kind: string; version: string; sha256?: string } | null;
    claimed_by: { name?: string; host?: string; pid?: number } | null;
    proof_of_death: ProofOfDeath | null;
    failure: With<Schemas["FailureOut"], { diagnostics: Diagnostic[] }> | null;
    lock: Lock | null;
    child: RunListItem | null;
  }
>;

/** The plan view, which the runner writes and the API passes on. */
export interface PlanResource {
  address: string;
  module: string;
  mode: string;
  type: string;
  name: string;
  index?: string | number | null;
  provider?: string;
  action: string;
  replace_order: "delete_first" | "create_first" | null;
  reason: string | null;
  previous_address?: string | null;
  attributes: PlanAttribute[];
  unchanged_count: number;
}

export interface PlanOutput {
  name: string;
  action: string;
  before?: unknown;
  after?: unknown;
  sensitive: boolean;
  after_unknown?: boolean;
}

/** Of a run that moves a state: from where to where. */
interface StateChangeView {
  kind: string;
  from: { lineage?: string; serial?: number; state_backend?: string; state_backend_settings?: Record<string, unknown>; resource_count?: number };
  to: { lineage?: string; serial?: number; number?: number; state_backend?: string | null; state_backend_settings?: Record<string, unknown> | null; is_empty?: boolean };
}

export interface PlanView {
  state_change?: StateChangeView;
  format: number;
  resources: PlanResource[];
  outputs: PlanOutput[];
  drift: PlanResource[];
  counts: RunSummary;
  has_changes: boolean;
  engine_version: string;
}

export type ProgressRecord = With<Schemas["Record"], { data: Record<string, unknown> }>;
export type ProgressPage = With<Schemas["ProgressPage"], { records: ProgressRecord[] }>;
export type Workspace = Schemas["WorkspaceOut"];
export type ApprovalCondition = Schemas["ApprovalConditionOut"];
export type ApprovalConditionIn = Schemas["ApprovalConditionIn"];
export type WorkspaceChange = Schemas["WorkspaceChange"];
export type WorkspaceRow = With<Schemas["WorkspaceRow"], { latest_run: RunListItem | null; lock: Lock | null }>;
export type Variable = With<Schemas["VariableOut"], { updated_by: Who }>;
export type StateVersion = With<Schemas["StateVersionOut"], { created_by: Who }>;
export type StateResource = Schemas["StateResource"];
export type ResourceFacets = Schemas["ResourceFacets"];
export type StateChange = Schemas["ResourceChange"];
export type StateOutputChange = Schemas["OutputChange"];
/** A page of what differs between two states; the older side is null when there was no state yet. */
export type StateDiff = With<Schemas["StateDiff"], { before: StateVersion | null; after: StateVersion }>;
export type QuarantinedState = With<Schemas["QuarantinedState"], { created_by: Who; decided_by: Who | null }>;
export type QuarantineDiff = With<Schemas["QuarantineDiff"], { before: StateVersion | null; after: QuarantinedState }>;
export type RecoveryItem = With<Schemas["RecoveryItemOut"], { decided_by: Who | null }>;
export type RunRecovery = With<Schemas["RunRecovery"], { items: RecoveryItem[] }>;
export type Retention = Schemas["Retention"];
export type OutputSharing = Schemas["OutputSharing"];
export type HcpImport = With<Schemas["HcpImportOut"], { state_version: StateVersion }>;

export interface OutputValue {
  name: string;
  type: unknown;
  sensitive: boolean;
  value: unknown;
}

export type Halt = With<Schemas["HaltOut"], { actor: Who; runs: With<Schemas["HaltRuns"], { items: With<Schemas["HaltedRun"], { proof: ProofOfDeath | null }>[] }> }>;
export type Halts = With<Schemas["HaltsOut"], { active: Halt[]; ending: Halt[] }>;
export type SiblingCall = Schemas["SiblingCall"];
export type Drill = With<Schemas["DrillOut"], { actor: Who }>;
export type InboxItem = With<Schemas["InboxItem"], { run: RunListItem; lock: Lock | null }>;
type InboxGroup = With<Schemas["InboxGroup"], { items: InboxItem[] }>;
export type Inbox = With<Schemas["Inbox"], { groups: InboxGroup[] }>;
export type Stack = Schemas["StackOut"];
export type SpecVersion = Schemas["SpecVersionOut"];
export type SpecDiff = Schemas["SpecDiff"];
export type PolicyAttachment = Schemas["PolicyAttachmentOut"];
export type PolicySet = Schemas["PolicySetOut"];
export type Rehearsal = Schemas["RehearsalOut"];
export type RehearsalResult = Schemas["RehearsalResultOut"];
export type Evaluation = Schemas["EvaluationOut"];
export type DraftProblem = Schemas["DraftProblem"];
export type PolicySource = Schemas["PolicySourceOut"];
export type AuditEvent = Schemas["AuditEventOut"];
export type Notification = With<Schemas["DestinationOut"], { created_by: Who }>;
export type NotificationIn = Omit<Schemas["DestinationIn"], "is_enabled">;
export type NotificationChange = Partial<Schemas["DestinationChange"]>;
export type Delivery = Schemas["DeliveryOut"];
export type Checkpoint = Schemas["CheckpointOut"];
export type ChainReport = Schemas["ChainReport"];
export type Overview = Schemas["Overview"];
export type OverviewHistory = Schemas["OverviewHistory"];
export type HistoryWindow = OverviewHistory["window"];
export type Token = Schemas["TokenOut"];
export type Member = Schemas["UserOut"];
export type ServiceAccount = Schemas["ServiceAccountOut"];
export type Team = Schemas["TeamOut"];
export type Role = Schemas["RoleOut"];
