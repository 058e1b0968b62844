import type { Wording } from "@/lib/actions";
import type { Run, RunSummary } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { backendName } from "@/lib/state-words";
import type { Loss } from "./loss";

/** Whether a run moves a state and changes no resource. */
export function isMove(kind: string): boolean {
  return kind === "rollback" || kind === "migration";
}

export function wordingOf(kind: string): Wording {
  return isMove(kind) ? "state" : "plan";
}

interface MoveFacts {
  kind: string;
  target?: Run["target"] | undefined;
}

/** Where a move brings the state: `version 3`, `S3`. */
export function moveTarget({ kind, target }: MoveFacts): string {
  if (kind === "migration") return target?.state_backend ? backendName(target.state_backend) : "another backend";
  return target?.state_version_number ? `version ${target.state_version_number}` : "an earlier version";
}

/** What a move does, worst first: what the state forgets goes on existing with nobody to manage it. */
export function moveSentence(run: MoveFacts, counts: RunSummary): Loss {
  const rest: string[] = [];
  const lost = (counts.forget ?? 0) + counts.destroy;
  const gained = (counts.import ?? 0) + counts.add;
  if (run.kind === "migration") {
    return { worst: `Moves the state to ${moveTarget(run)}.`, rest: "It is written there, read back and compared before the workspace uses it. No resource is touched." };
  }
  if (lost > 0) rest.push(`The state forgets ${plural(lost, "resource")}: what exists of ${lost === 1 ? "it" : "them"} stays, and nobody manages it.`);
  if (gained > 0) rest.push(`It takes up ${plural(gained, "resource")} again: what is gone is made anew by the next plan.`);
  rest.push("No resource is touched by this; plan afterwards to see what the engine finds.");
  return { worst: `Rolls the state back to ${moveTarget(run)}.`, rest: rest.join(" ") };
}
