import type { PolicyAttachment, PolicyCheck, Ref, Who } from "@/lib/api/types";

/** What the API says of rehearsals, by the members that the pages read. */
type Level = PolicyAttachment["enforcement_level"];
type Finding = PolicyCheck["findings"][number];
type Verdict = "passed" | "advisory" | "blocked_soft" | "blocked_hard";

export interface Rehearsal {
  id: string;
  status: "queued" | "running" | "finished" | "errored" | "cancelled";
  status_reason: string | null;
  policy_set_uri: string | null;
  files: string[];
  bundle_digest: string;
  enforcement_level: Level;
  workspaces: Ref[];
  tag: string | null;
  last: number;
  total: number;
  done: number;
  removed: number;
  newly_blocked: number;
  would_block: number;
  would_warn: number;
  would_pass: number;
  not_evaluable: number;
  seconds: number | null;
  plans_per_second: number | null;
  policy_engine: string | null;
  assumptions: string[];
  created_by: Who;
  created_at: string;
}

export interface RehearsalResult {
  run_id: string;
  workspace: Ref;
  kind: string;
  planned_at: string;
  effect: "newly_blocks" | "blocks" | "warns" | "passes" | "removed";
  newly_blocks: boolean;
  outcome: "passed" | "failed" | "error" | null;
  verdict: Verdict | null;
  verdict_then: Verdict | null;
  findings: Finding[];
  error: string | null;
  duration_ms: number | null;
}

export interface DraftProblem {
  file: string | null;
  line: number | null;
  message: string;
}

export interface Evaluation {
  outcome: "passed" | "failed" | "error";
  findings: Finding[];
  error: string | null;
  problems: DraftProblem[];
  policy_engine: string;
  duration_ms: number;
  assumptions: string[];
}
