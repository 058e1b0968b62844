/** What the API answers. Kept equal to the OpenAPI document by `contract.ts`. */
import type { PlanAttribute } from "@/lib/diff/attributes";

export interface Who {
  id: string;
  kind: "person" | "service_account" | "agent" | "system";
  name: string;
}

export interface Ref {
  id: string;
  name: string;
}

export interface Me {
  id: string;
  kind: Who["kind"];
  name: string;
  email: string | null;
  organization: { id: string; name: string; is_operator: boolean };
  roles: string[];
  permissions: string[];
  teams: Ref[];
}

export interface Version {
  version: string;
  engine: { kind: string; version: string } | null;
  policy_engine: string | null;
}

export interface RunSummary {
  add: number;
  change: number;
  destroy: number;
  replace: number;
  import?: number;
  move?: number;
  forget?: number;
  read?: number;
}

export interface VersionRef {
  id: string;
  number: number | null;
  hash: string;
}

export interface RunListItem {
  id: string;
  kind: string;
  status: string;
  phase: string | null;
  is_speculative: boolean;
  message: string;
  workspace: { id: string; name: string; tags: string[] };
  stack: Ref;
  spec_version: VersionRef;
  source: string;
  requested_by: Who;
  created_at: string;
  finished_at: string | null;
  summary: RunSummary | null;
  has_changes: boolean | null;
  verdict: string | null;
  approvals: { have: number; need: number } | null;
  halted: boolean;
  status_reason: string | null;
  parent_run_id: string | null;
  child_run_id: string | null;
  url: string;
}

export interface Timing {
  phase: string;
  started_at: string;
  seconds: number;
}

export interface Diagnostic {
  severity?: string;
  summary?: string;
  detail?: string;
  address?: string;
  [member: string]: unknown;
}

export interface PolicyFinding {
  rule: string;
  kind: string;
  message: string;
  address?: string | null;
  remedy?: string | null;
  severity?: string | null;
}

export interface PolicyCheck {
  id: string;
  stage: string;
  policy_set_uri: string;
  enforcement_level: string;
  outcome: string;
  findings: PolicyFinding[];
  error: string | null;
  policy_engine: string;
  duration_ms: number;
  bundle_digest: string;
}

export interface Decision {
  id: string;
  decision: string;
  actor: Who;
  comment: string;
  created_at: string;
  voided_at: string | null;
  void_reason: string | null;
}

export interface ApprovalsDetail {
  have: number;
  need: number;
  because: string[];
  decisions: Decision[];
  you: { may_decide: boolean; why_not: string | null; decision: string | null };
}

export interface FingerprintPart {
  name: string;
  digest: string;
  label: string;
  moved: boolean;
}

export interface Lock {
  run_id: string;
  holder: { name?: string; host?: string; [member: string]: unknown };
  reason: string;
  acquired_at: string;
  heartbeat_at: string;
  is_orphaned: boolean;
}

export interface ProofOfDeath {
  kind: string;
  at: string;
  pid?: number | null;
  exit_code?: number | null;
  signal?: number | null;
  detail?: string;
}

export interface Run extends RunListItem {
  configuration: { id: string; digest: string } | null;
  engine: { kind: string; version: string; sha256: string } | null;
  variable_count: number;
  sensitive_variable_count: number;
  experiment_id: string | null;
  test_id: string | null;
  output_changes: number;
  drift_count: number;
  timings: Timing[];
  timing_totals: { queued_seconds: number | null; total_seconds: number | null } | null;
  failure: { phase: string; code: string; message: string; diagnostics: Diagnostic[] } | null;
  fingerprint: { digest: string; parts: FingerprintPart[]; is_current: boolean; expires_at: string | null } | null;
  policy_checks: PolicyCheck[];
  approvals_detail: ApprovalsDetail | null;
  allowed_actions: string[];
  lock: Lock | null;
  state_version: { id: string; number: number; serial: number } | null;
  child: RunListItem | null;
  cancel_requested_at: string | null;
  halt_id: string | null;
  claimed_by: { name?: string; host?: string; pid?: number } | null;
  claimed_at: string | null;
  planned_at: string | null;
  quiesced_at: string | null;
  proof_of_death: ProofOfDeath | null;
  resources_total: number | null;
}

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

export interface PlanView {
  format: number;
  resources: PlanResource[];
  outputs: PlanOutput[];
  drift: PlanResource[];
  counts: RunSummary;
  has_changes: boolean;
  engine_version: string;
}

export interface ProgressRecord {
  offset: number;
  at: string;
  kind: "line" | "event" | "phase";
  stream: string;
  text: string;
  data: Record<string, unknown>;
}

export interface ProgressPage {
  records: ProgressRecord[];
  next: number;
  closed: boolean;
}

export interface Workspace {
  id: string;
  name: string;
  description: string;
  tags: string[];
  stack: Ref;
  head: VersionRef | null;
  pinned_version_id: string | null;
  required_approvals: number;
  approver_teams: Ref[];
  requester_may_approve: boolean;
  auto_apply: boolean;
  auto_apply_allows_destroy: boolean;
  plan_max_age_seconds: number | null;
  engine_kind: string | null;
  state_backend: string;
  created_at: string;
}

export interface WorkspaceRow extends Workspace {
  latest_run: RunListItem | null;
  resource_count: number;
  state_serial: number | null;
  lock: Lock | null;
  is_behind: boolean;
}

export interface Variable {
  id: string;
  key: string;
  kind: "terraform" | "env";
  is_sensitive: boolean;
  is_hcl: boolean;
  description: string;
  value: string | null;
  version_id: string;
  updated_at: string;
  updated_by: Who;
}

export interface StateVersion {
  id: string;
  number: number;
  serial: number;
  lineage: string;
  digest: string;
  size_bytes: number;
  kind: string;
  run_id: string | null;
  resource_count: number;
  created_by: Who;
  created_at: string;
}

export interface StateResource {
  address: string;
  module: string;
  type: string;
  name: string;
  mode: string;
  provider: string;
}

export interface OutputValue {
  name: string;
  type: unknown;
  sensitive: boolean;
  value: unknown;
}

export interface Halt {
  id: string;
  scope: "everything" | "organization" | "workspace";
  scope_id: string;
  reason: string;
  latch: boolean;
  actor: Who;
  created_at: string;
  resumed_at: string | null;
  runs: { total: number; marked: number; dead: number; dying: { run_id: string; workspace: string; status: string; [member: string]: unknown }[] };
}

export interface InboxItem {
  run: RunListItem;
  lock: Lock | null;
  for_you: boolean;
  why: string;
  since: string;
}

export interface InboxGroup {
  name: string;
  count: number;
  items: InboxItem[];
}

export interface Inbox {
  groups: InboxGroup[];
  for_you: number;
  total: number;
  in_progress: number;
}

export interface Stack {
  id: string;
  name: string;
  description: string;
  latest_version: { id: string; number: number; hash: string; created_at: string } | null;
  workspace_count: number;
  created_at: string;
}

export interface SpecVersion extends VersionRef {
  stack_id: string;
  schema_version: number;
  message: string;
  created_by: Who;
  created_at: string;
  document: Record<string, unknown>;
}

export interface SpecDiff {
  a: VersionRef;
  b: VersionRef;
  changes: { path: string; op: "add" | "remove" | "change"; before: unknown; after: unknown }[];
}

export interface PolicyAttachment {
  id: string;
  policy_set_uri: string;
  enforcement_level: string;
  workspace_id: string | null;
  tag: string | null;
  waives_unevaluable: boolean;
  bundle_digest: string;
  synced_at: string;
}

export interface AuditEvent {
  id: string;
  at: string;
  actor: Who;
  action: string;
  target: { kind: string; id: string };
  evidence: Record<string, unknown>;
  source_address: string | null;
}

export interface Overview {
  runs_by_status: Record<string, number>;
  queue_depth: number;
  oldest_queued_seconds: number | null;
  running: number;
  workspaces: number;
  engine: string | null;
}

export interface Token {
  id: string;
  name: string;
  owner?: Who;
  permissions: string[] | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface Member {
  id: string;
  name: string;
  email: string;
  roles: string[];
  teams?: Ref[];
  disabled_at: string | null;
}

export interface Team {
  id: string;
  name: string;
  members: Ref[];
}

export interface Role {
  name: string;
  description: string;
  permissions: string[];
}
