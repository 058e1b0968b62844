import { Link } from "@tanstack/react-router";
import type { Halt } from "@/lib/api/types";
import { plural, stopwatch } from "@/lib/format";
import { useSecondsLeft, useWorkspaceName } from "@/features/halt/hooks";

const SHOWN = 3;

/** Who of a halt's runs is still dying, and how long that can take at most. Nothing once all are dead. */
export function StillDying({ halt }: { halt: Halt }) {
  const { dying, items } = halt.runs;
  const left = useSecondsLeft(halt);
  const nameOf = useWorkspaceName(dying > 0);
  if (dying === 0) return null;
  const shown = items.filter((each) => each.state === "dying").slice(0, SHOWN);
  return (
    <p>
      Still dying:{" "}
      {shown.map((each, i) => (
        <span key={each.run_id}>
          <Link to="/infra/terraform/runs/$id" params={{ id: each.run_id }} className="font-medium underline underline-offset-2">{nameOf(each.workspace_id)}</Link>, {each.kind === "apply" ? "applying" : "planning"}{i < shown.length - 1 ? "; " : ""}
        </span>
      ))}
      {dying > shown.length ? ` and ${plural(dying - shown.length, "more process", "more processes")}. ` : ". "}
      {left > 0 ? <>All dead in at most <b className="tnum font-semibold" role="timer">{stopwatch(Math.ceil(left))}</b></> : "The latest moment has passed: who doesn\u2019t answer is presumed dead by its lease"}
    </p>
  );
}
