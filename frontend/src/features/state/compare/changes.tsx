import { useMemo, useRef } from "react";
import { OutputChanges } from "@/components/changes/output-changes";
import { ChangeTree } from "@/components/changes/tree";
import { useChangeView } from "@/components/changes/use-change-view";
import { ACTION_TEXT } from "@/components/domain/counts";
import { WordingContext } from "@/components/domain/wording";
import { Button } from "@/components/ui/button";
import { SearchInput } from "@/components/ui/field";
import { Segmented } from "@/components/ui/tabs";
import { type ActionTone, countParts } from "@/lib/actions";
import type { StateChange, StateOutputChange } from "@/lib/api/types";
import { count, plural } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { changeTree } from "@/lib/plan/tree";
import { changeAsPlanned, outputAsPlanned } from "@/lib/state-words";

export interface Differences {
  added: number;
  removed: number;
  changed: number;
  outputs: readonly StateOutputChange[];
  items: readonly StateChange[];
}

interface MoreChanges {
  load: () => void;
  busy: boolean;
}

const NOTHING: never[] = [];
const NEVER = { has: () => false, set: () => undefined };

/** What differs between two states, by module, resource and attribute; outputs first, since others read them. */
export function StateChanges({ difference, more, label }: { difference: Differences; more: MoreChanges | null; label: string }) {
  const field = useRef<HTMLInputElement>(null);
  const { items } = difference;
  const tree = useMemo(() => changeTree(items.map(changeAsPlanned)), [items]);
  const view = useChangeView(tree, NOTHING, NEVER, "state");
  const outputs = useMemo(() => difference.outputs.map(outputAsPlanned), [difference.outputs]);
  const total = difference.added + difference.removed + difference.changed;
  const parts = countParts({ add: difference.added, change: difference.changed, replace: 0, destroy: difference.removed }, "state");
  useKeys({
    j: () => view.move(1), k: () => view.move(-1), arrowdown: () => view.move(1), arrowup: () => view.move(-1),
    arrowleft: () => view.fold(false), arrowright: () => view.fold(true), enter: () => { if (view.cursor) view.toggle(view.cursor); },
    z: () => view.foldAll(), "/": () => field.current?.focus(),
  });
  return (
    <WordingContext value="state">
      <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line px-4 py-1.5">
        <p role="status" className="text-12 text-ink-2">
          {total === 0 ? "No resource differs" : <><strong className="font-semibold text-ink">{plural(total, "resource")}</strong> {total === 1 ? "differs" : "differ"}</>}
          {outputs.length > 0 ? `, ${plural(outputs.length, "output")}` : ""}
          {more ? `; the first ${count(items.length)} are shown` : ""}
        </p>
        {total > 0 ? (
          <div className="ml-auto flex items-center gap-2">
            {parts.length > 1 ? (
              <Segmented<ActionTone | "all">
                label="Show"
                value={view.filter.tone}
                onChange={(tone) => view.setFilter({ ...view.filter, tone })}
                options={[{ value: "all", label: `All ${count(total)}` }, ...parts.map((part) => ({ value: part.tone, name: `${part.n} to ${part.word}`, label: <span className={ACTION_TEXT[part.tone]}><span className="font-mono font-semibold">{part.sign}</span> {count(part.n)}</span> }))]}
              />
            ) : null}
            <SearchInput ref={field} label="Filter changes" placeholder="Address or attribute" keys="/" className="!h-[26px] w-48 max-sm:!h-9 max-sm:w-36" value={view.filter.text} onValue={(text) => view.setFilter({ ...view.filter, text })} />
          </div>
        ) : null}
      </div>
      <ChangeTree
        view={view}
        label={label}
        empty={{ title: "They hold the same resources.", text: outputs.length > 0 ? "Only outputs differ." : "Serial or engine version may differ all the same." }}
        lead={outputs.length > 0 ? <OutputChanges outputs={outputs} /> : null}
        tail={more ? <div className="px-5 py-3"><Button disabled={more.busy} onClick={more.load}>Show {count(Math.min(200, total - items.length))} more</Button> <span className="ml-2 text-12 text-ink-3">{count(total - items.length)} are not shown yet</span></div> : null}
      />
    </WordingContext>
  );
}
