/** What a run's status is called, and what it means to a person. */

export type RunStatus =
  | "queued"
  | "running"
  | "planned"
  | "no_changes"
  | "awaiting_approval"
  | "policy_blocked"
  | "approved"
  | "applied"
  | "superseded"
  | "discarded"
  | "cancelled"
  | "errored";

export type Tone = "wait" | "change" | "create" | "destroy" | "read";
export type StatusShape = "pause" | "ring" | "shield" | "halt" | "error" | "check" | "equal" | "history" | "trash" | "clock" | "cancel" | "eye";

interface StatusLook {
  word: string;
  tone: Tone;
  shape: StatusShape;
}

export interface StatusFacts {
  status: string;
  kind?: string | undefined;
  phase?: string | null | undefined;
  halted?: boolean | undefined;
}

const PHASES: Record<string, string> = {
  preparing: "Preparing",
  initializing: "Initializing",
  planning: "Planning",
  checking_policies: "Checking policies",
  verifying: "Verifying",
  applying: "Applying",
  snapshotting: "Snapshotting",
};

export function phaseWord(phase: string): string {
  return PHASES[phase] ?? phase.replaceAll("_", " ");
}

const LOOKS: Record<string, StatusLook | undefined> & Record<RunStatus, StatusLook> = {
  queued: { word: "Queued", tone: "read", shape: "clock" },
  running: { word: "Running", tone: "change", shape: "ring" },
  planned: { word: "Planned", tone: "read", shape: "eye" },
  no_changes: { word: "No changes", tone: "read", shape: "equal" },
  awaiting_approval: { word: "Awaiting approval", tone: "wait", shape: "pause" },
  policy_blocked: { word: "Policy blocked", tone: "destroy", shape: "shield" },
  approved: { word: "Approved", tone: "change", shape: "ring" },
  applied: { word: "Applied", tone: "create", shape: "check" },
  superseded: { word: "Superseded", tone: "read", shape: "history" },
  discarded: { word: "Discarded", tone: "read", shape: "trash" },
  cancelled: { word: "Cancelled", tone: "read", shape: "cancel" },
  errored: { word: "Errored", tone: "destroy", shape: "error" },
};

/** The word, tone and icon of a run's status. A running run is named by what it does now. */
export function statusLook({ status, kind, phase, halted }: StatusFacts): StatusLook {
  if (status === "cancelled" && halted) return { word: "Cancelled, halted", tone: "destroy", shape: "halt" };
  if (status === "running") {
    const word = phase ? phaseWord(phase) : kind === "apply" ? "Applying" : kind ? "Planning" : LOOKS.running.word;
    return { ...LOOKS.running, word };
  }
  return LOOKS[status] ?? { word: status.replaceAll("_", " "), tone: "read", shape: "clock" };
}

const FINAL = new Set<string>(["planned", "no_changes", "applied", "superseded", "discarded", "cancelled", "errored"]);

export function isFinal(status: string): boolean {
  return FINAL.has(status);
}

/** Statuses in which a process may be at work, so that the page follows the stream. */
export function isWorking(status: string): boolean {
  return status === "queued" || status === "running" || status === "approved";
}

/** Whether a queued run has more to say of its place than that it starts. */
export function tellsPlace(run: { status: string; queue?: { code: string } | null | undefined }): boolean {
  return run.status === "queued" && Boolean(run.queue) && run.queue?.code !== "starting";
}
