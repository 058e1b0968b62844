import { Check, ChevronDown } from "lucide-react";
import { useState } from "react";
import { SearchInput } from "@/components/ui/field";
import { Popover } from "@/components/ui/menu";
import { cx } from "@/lib/cx";
import { count } from "@/lib/format";

interface FacetOption {
  value: string;
  label: string;
  count: number;
}

const MOST = 200;

/** One value of many, with how many have it; a long list can be searched. */
export function FacetMenu({ label, value, options, onChange }: { label: string; value: string | undefined; options: readonly FacetOption[]; onChange: (value: string | undefined) => void }) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const shown = options.find((option) => option.value === value)?.label ?? value ?? "any";
  const found = options.filter((option) => option.label.toLowerCase().includes(text.trim().toLowerCase()));
  const pick = (next: string | undefined) => {
    onChange(next);
    setOpen(false);
    setText("");
  };
  return (
    <Popover
      open={open}
      onOpenChange={setOpen}
      label={label}
      align="start"
      className="!w-80 !p-1"
      trigger={
        <button type="button" className={cx("inline-flex h-7 max-w-64 shrink-0 items-center gap-1.5 rounded-ctl border px-2.5 text-12 hover:bg-hover max-sm:h-9", value === undefined ? "border-line-2" : "border-ctl bg-selected")}>
          <span className="text-ink-2">{label}</span><span className="truncate font-medium">{shown}</span><ChevronDown size={12} className="shrink-0 text-ink-3" aria-hidden />
        </button>
      }
    >
      {options.length > 8 ? <SearchInput label={`Search ${label.toLowerCase()}s`} autoFocus value={text} onValue={setText} className="m-1" onKeyDown={(event) => { if (event.key === "Enter" && found[0]) pick(found[0].value); }} /> : null}
      <ul className="max-h-72 overflow-auto" aria-label={label}>
        <Item label="any" picked={value === undefined} onPick={() => pick(undefined)} />
        {found.slice(0, MOST).map((option) => <Item key={option.value} label={option.label} n={option.count} picked={option.value === value} onPick={() => pick(option.value)} />)}
      </ul>
      {found.length > MOST ? <p className="px-2 py-1 text-12 text-ink-3">and {count(found.length - MOST)} more: search</p> : found.length === 0 ? <p className="px-2 py-1 text-12 text-ink-3">None of that name</p> : null}
    </Popover>
  );
}

function Item({ label, n, picked, onPick }: { label: string; n?: number; picked: boolean; onPick: () => void }) {
  return (
    <li>
      <button type="button" aria-pressed={picked} onClick={onPick} className="inset-focus flex h-7 w-full items-center gap-2 rounded-ctl px-2 text-left text-12 hover:bg-hover max-sm:h-11">
        <span className="w-3.5 shrink-0">{picked ? <Check size={14} aria-hidden /> : null}</span>
        <span className="min-w-0 truncate" title={label}>{label}</span>
        {n === undefined ? null : <span className="tnum ml-auto shrink-0 text-ink-3">{count(n)}</span>}
      </button>
    </li>
  );
}
