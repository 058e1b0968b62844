import { ShieldOff } from "lucide-react";
import { setName } from "@/lib/policy-words";
import type { Override, Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { hourMinute, listed, moment, span } from "@/lib/format";
import { isFinal } from "@/lib/run-status";

const SOON = 3_600_000;

function Ends({ override, ended }: { override: Override; ended: boolean }) {
  const now = useNow(1_000);
  const left = Date.parse(override.expires_at) - now;
  if (override.ended_at) return <p className="text-wait">Ended {hourMinute(override.ended_at, now)}: {override.end_reason ?? "it counts no more."}</p>;
  if (ended) return <p className="text-ink-3">Would have ended {hourMinute(override.expires_at, now)}.</p>;
  return <p className={left < SOON ? "text-wait" : "text-ink-2"}>Ends {hourMinute(override.expires_at, now)}{left > 0 ? <>, <span className="tnum">{span(left)}</span> left</> : ": it is being ended"}.</p>;
}

/** Who let the plan go on although policies denied it, why, until when, and why no longer. Nothing is ever taken away. */
export function Overrides({ run }: { run: Run }) {
  const now = useNow();
  if (run.overrides.length === 0) return null;
  return (
    <ul aria-label="Overrides" className="mt-2 flex flex-col gap-2">
      {run.overrides.map((override) => {
        const over = override.ended_at !== null;
        return (
          <li key={override.id} className="border-t border-line pt-2 text-12">
            <p className="flex items-center gap-2">
              <ShieldOff size={14} className={cx("shrink-0", over ? "text-ink-3" : "text-wait")} aria-hidden />
              <span className={cx("min-w-0 truncate", over && "text-ink-3 line-through")}>Override by <strong className="font-medium">{override.actor.name}</strong></span>
              <time className="tnum ml-auto shrink-0 text-ink-3" dateTime={override.created_at}>{moment(override.created_at, now)}</time>
            </p>
            <div className="ml-[22px]">
              <p className={cx("break-words", over ? "text-ink-3" : "text-ink-2")}>“{override.reason}”</p>
              <Ends override={override} ended={isFinal(run.status)} />
              <p className="truncate text-11 text-ink-3">Of <span className="font-mono">{listed(override.policy_set_uris.map(setName))}</span></p>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
