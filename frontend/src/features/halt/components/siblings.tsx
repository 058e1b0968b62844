import { Check, CircleHelp, CircleX } from "lucide-react";
import { Ring } from "@/components/domain/status";
import type { SiblingCall } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { duration } from "@/lib/format";

/** What an answer means: only a system that answered is known to have stopped. */
function outcome(call: SiblingCall): { word: string; tone: string; icon: React.ReactNode } {
  if (call.status === "answered") return { word: "answered", tone: "text-ink", icon: <Check size={14} className="text-create" aria-hidden /> };
  if (call.status === "pending") return { word: "asking", tone: "text-wait", icon: <Ring className="text-wait" /> };
  if (call.status === "failed" && call.http_status !== null) return { word: "failed", tone: "text-destroy", icon: <CircleX size={14} className="text-destroy" aria-hidden /> };
  return { word: "not known", tone: "text-wait", icon: <CircleHelp size={14} className="text-wait" aria-hidden /> };
}

/** The sibling systems that the halt called, each with what it said; one that is silent holds none of the others back. */
export function Siblings({ calls }: { calls: readonly SiblingCall[] }) {
  if (calls.length === 0) return null;
  return (
    <section aria-label="Sibling systems" className="border-b border-line">
      <h3 className="flex h-7 items-center border-b border-line bg-canvas px-5 text-11 font-normal text-ink-3">Sibling systems</h3>
      <ul>
        {calls.map((call) => {
          const { word, tone, icon } = outcome(call);
          return (
            <li key={call.name} className="flex min-h-8 flex-wrap items-center gap-x-4 gap-y-0.5 border-b border-line px-5 py-1.5 text-12 last:border-b-0">
              <span className={cx("flex w-[104px] shrink-0 items-center gap-2 font-medium", tone)}>{icon}{word}</span>
              <span className="w-[120px] shrink-0 truncate font-medium">{call.name}</span>
              <span className="min-w-0 grow text-ink-2">{call.detail ?? "Called; no answer yet."}</span>
              <span className="tnum shrink-0 text-ink-3">{call.attempts > 1 ? `${call.attempts} attempts` : null}{call.seconds !== null ? `${call.attempts > 1 ? ", " : ""}${duration(call.seconds)}` : null}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
