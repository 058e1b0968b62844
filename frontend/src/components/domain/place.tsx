import { Link } from "@tanstack/react-router";
import type { QueuePlace, RunListItem } from "@/lib/api/types";
import { ordinal, shortId } from "@/lib/format";
import { tellsPlace } from "@/lib/run-status";

function Why({ place, run }: { place: QueuePlace; run: RunListItem }) {
  const held = place.waits_for;
  if (held) {
    // The reason names the run that it waits for; the sentence stays the server's.
    const [before, after] = place.reason.split(held.id);
    return (
      <>
        {before}
        <Link to="/infra/terraform/runs/$id" params={{ id: held.id }} className="link font-mono">{shortId(held.id)}</Link>
        {after}
      </>
    );
  }
  if (place.code === "workspace_locked") {
    return (
      <>
        {place.reason} <Link to="/infra/terraform/state/$workspace" params={{ workspace: run.workspace.id }} className="link">See the lock</Link>
      </>
    );
  }
  return <>{place.reason}</>;
}

/** Where a queued run stands, and what it waits for, in a sentence or two. */
export function PlaceText({ run }: { run: RunListItem }) {
  if (!run.queue) return null;
  return (
    <>
      <strong className="font-semibold">{ordinal(run.queue.position)} in the queue.</strong> <Why place={run.queue} run={run} />
    </>
  );
}

/** The same beside a run's title in a list. */
export function PlaceShort({ run }: { run: RunListItem }) {
  if (!run.queue || !tellsPlace(run)) return null;
  return <span className="ml-2 text-12 text-ink-3" title={run.queue.reason}>{ordinal(run.queue.position)} in the queue: {run.queue.reason}</span>;
}
