import { useQuery } from "@tanstack/react-query";
import { OctagonX } from "lucide-react";
import { useState } from "react";
import { haltsQuery } from "@/lib/api/halts";
import { useMay } from "@/lib/api/session";
import type { Halt } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, plural } from "@/lib/format";
import { processesOf, useScopeWords } from "@/features/halt/hooks";
import { StillDying } from "./dying";
import { ResumeDialog } from "./resume";

const ON_RED = "inline-flex h-7 shrink-0 items-center rounded-ctl border border-current px-3 text-12 font-medium hover:bg-transparent max-sm:h-9";

/** After a resume, until the last process that the lifted halt stopped is dead. */
function StillEnding({ halts }: { halts: readonly Halt[] }) {
  const dying = halts.reduce((sum, halt) => sum + halt.runs.dying, 0);
  if (dying === 0) return null;
  return (
    <section aria-label="Halt" className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b border-line bg-wait-bg px-4 py-1.5 text-13">
      <p className="flex items-center gap-2" role="status"><OctagonX size={15} className="shrink-0" aria-hidden />A halt was lifted; {plural(dying, "process", "processes")} that it stopped {dying === 1 ? "is" : "are"} still dying. Nothing starts in {dying === 1 ? "its workspace" : "their workspaces"} before.</p>
      {halts.filter((halt) => halt.runs.dying > 0).map((halt) => <StillDying key={halt.id} halt={halt} />)}
    </section>
  );
}

/** Stays on every page while a halt stands: who, when, why, what it stopped, and what is proven dead. */
export function HaltBanner({ onShow }: { onShow: () => void }) {
  const { active = [], ending = [] } = useQuery(haltsQuery).data ?? {};
  const halt = active[0];
  return halt ? <Standing halt={halt} others={active.length - 1} onShow={onShow} /> : <StillEnding halts={ending} />;
}

function Standing({ halt, others, onShow }: { halt: Halt; others: number; onShow: () => void }) {
  const at = useNow(1_000);
  const scope = useScopeWords(halt);
  const why = useMay()("halt:resume");
  const [resuming, setResuming] = useState(false);
  const { marked } = halt.runs;
  const { dead, presumed, all } = processesOf(halt);
  const { dying } = halt.runs;
  const silent = halt.fanout.filter((call) => call.status !== "answered").length;
  return (
    <section aria-label="Halt" className="flex min-h-[42px] shrink-0 flex-wrap items-center gap-x-4 gap-y-1 bg-danger px-4 py-1.5 text-13 text-on-danger">
      <strong className="flex items-center gap-2 font-semibold"><OctagonX size={15} aria-hidden />Halt stands</strong>
      <span>{scope}, by {halt.actor.name}, {moment(halt.created_at, at)}</span>
      <span className="min-w-0 truncate">“{halt.reason}”</span>
      {others > 0 ? <span>and {plural(others, "more halt")}</span> : null}
      <span className="ml-auto flex flex-wrap items-center gap-3">
        <span><b className="font-semibold">{marked}</b> {marked === 1 ? "run" : "runs"} stopped, {all === 0 ? "none had a process" : <><b className="font-semibold">{dead} of {all}</b> {all === 1 ? "process" : "processes"} proven dead{presumed > 0 ? `, ${presumed} presumed` : ""}</>}</span>
        {silent > 0 ? <span><b className="font-semibold">{silent}</b> of {plural(halt.fanout.length, "sibling system")} not known to have stopped</span> : null}
        <span className="flex gap-3">
          <button type="button" className={ON_RED} onClick={onShow}>Show</button>
          <button type="button" className={ON_RED} aria-disabled={why ? true : undefined} title={why ?? undefined} onClick={() => { if (!why) setResuming(true); }}>Resume</button>
        </span>
      </span>
      {dying > 0 ? <div className="basis-full"><StillDying halt={halt} /></div> : null}
      <ResumeDialog halt={halt} open={resuming} onOpenChange={setResuming} />
    </section>
  );
}
