import { Plus, X } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { Popover } from "@/components/ui/menu";
import { cx } from "@/lib/cx";
import { whyNotName } from "./store";

interface FilesProps {
  names: readonly string[];
  current: string;
  /** How many things are wrong in a file. */
  wrong: ReadonlyMap<string, number>;
  onOpen: (name: string) => void;
  onAdd: (name: string) => void;
  onRemove: (name: string) => void;
}

/** The files of a draft, one open. */
export function FileTabs({ names, current, wrong, onOpen, onAdd, onRemove }: FilesProps) {
  const [adding, setAdding] = useState(false);
  return (
    <div className="flex h-9 shrink-0 items-stretch overflow-x-auto border-b border-line pl-1" role="group" aria-label="Files">
      {names.map((name) => {
        const here = name === current;
        const count = wrong.get(name) ?? 0;
        return (
          <span key={name} className={cx("flex shrink-0 items-center border-r border-line", here && "bg-selected")}>
            <button type="button" aria-pressed={here} onClick={() => onOpen(name)} className={cx("inset-focus flex h-full items-center gap-1.5 px-3 font-mono text-12", here ? "font-medium" : "text-ink-2 hover:text-ink")}>
              {name}
              {count > 0 ? <span className="font-sans text-11 text-destroy">{count} wrong</span> : null}
            </button>
            {here && names.length > 1 ? <IconButton label={`Remove ${name}`} className="mr-1 !size-6" onClick={() => onRemove(name)}><X size={12} /></IconButton> : null}
          </span>
        );
      })}
      <Popover open={adding} onOpenChange={setAdding} align="start" label="Add a file" trigger={<IconButton label="Add a file" className="m-1"><Plus size={14} /></IconButton>}>
        <AddFile taken={names} onAdd={(name) => { setAdding(false); onAdd(name); }} />
      </Popover>
    </div>
  );
}

function AddFile({ taken, onAdd }: { taken: readonly string[]; onAdd: (name: string) => void }) {
  const [name, setName] = useState("");
  const missing = whyNotName(name.trim(), taken);
  return (
    <form className="flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); if (!missing) onAdd(name.trim()); }}>
      <Field label="File" hint={name ? (missing ?? undefined) : "config.rego, or data.json for the set's data"}>{(ids) => <Input {...ids} autoFocus className="font-mono !text-12" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <Button type="submit" look="primary" blocked={missing} className="self-end">Add</Button>
    </form>
  );
}
