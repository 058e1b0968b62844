import { Check } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { Popover } from "@/components/ui/menu";
import { plural } from "@/lib/format";

interface DestroyProps {
  name: string;
  resources: number | null;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  trigger: ReactNode;
  busy: boolean;
  error: string | null;
  onDestroy: (why: string) => void;
}

/** Friction before a destroy is even planned: the name is typed, and the reason kept. */
export function DestroyPopover({ open, onOpenChange, trigger, name, ...rest }: DestroyProps) {
  return (
    <Popover open={open} onOpenChange={onOpenChange} trigger={trigger} label={`Destroy ${name}`}>
      <Form name={name} onClose={() => onOpenChange(false)} {...rest} />
    </Popover>
  );
}

function Form({ name, resources, busy, error, onDestroy, onClose }: Omit<DestroyProps, "open" | "onOpenChange" | "trigger"> & { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [why, setWhy] = useState("");
  const missing = typed === name ? null : "Type the workspace's name";
  const submit = () => {
    if (!missing && !busy) onDestroy(why.trim());
  };
  return (
    <form
      className="flex flex-col gap-2.5"
      onSubmit={(event) => { event.preventDefault(); submit(); }}
      onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit(); }}
    >
      <h2 className="text-13 font-semibold">Destroy {name}</h2>
      <p className="text-12 text-ink-2">
        Plans the destruction of all {resources === null ? "resources" : <strong className="font-semibold text-ink">{plural(resources, "resource")}</strong>}. Nothing is destroyed yet: the plan passes policy and waits for approval, like any other.
      </p>
      <Field label="Type the workspace's name">
        {(ids) => (
          <span className="relative block">
            <Input {...ids} autoFocus className="font-mono !text-12" value={typed} onChange={(event) => setTyped(event.target.value)} onPaste={(event) => event.preventDefault()} />
            {missing ? null : <Check size={15} className="absolute top-1/2 right-2.5 -translate-y-1/2 text-create" aria-hidden />}
          </span>
        )}
      </Field>
      <Field label="Why (kept in the audit trail)" error={error}>{(ids) => <Input {...ids} value={why} onChange={(event) => setWhy(event.target.value)} />}</Field>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" keys="Esc" onClick={onClose}>Keep it</Button>
        <Button type="submit" look="danger" keys="⌘ ↵" blocked={missing} disabled={busy}>Plan the destroy</Button>
      </div>
    </form>
  );
}
