import { useState } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { Field, Textarea } from "./field";

export interface ReasonAsk {
  title: string;
  description: string;
  label: string;
  required: boolean;
  confirm: string;
  danger: boolean;
  act: (reason: string) => Promise<unknown>;
}

/** Asks why, and does it. Opened by a key or a press; it never acts by itself. */
export function ReasonDialog({ ask, onClose, error }: { ask: ReasonAsk | null; onClose: () => void; error: string | null }) {
  return (
    <Dialog open={ask !== null} onOpenChange={(open) => { if (!open) onClose(); }} title={ask?.title ?? ""} description={ask?.description ?? ""}>
      {ask ? <Body key={ask.title} ask={ask} onClose={onClose} error={error} /> : null}
    </Dialog>
  );
}

function Body({ ask, onClose, error }: { ask: ReasonAsk; onClose: () => void; error: string | null }) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const missing = ask.required && !reason.trim() ? "Say why" : null;
  const submit = async () => {
    if (missing || busy) return;
    setBusy(true);
    try {
      await ask.act(reason.trim());
      onClose();
    } catch {
      // The mutation holds the error, which is shown below; what was typed stays.
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="flex flex-col gap-4 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
      <Field label={ask.label} error={error}>
        {(ids) => <Textarea {...ids} autoFocus value={reason} onChange={(event) => setReason(event.target.value)} onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void submit(); }} />}
      </Field>
      <div className="flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it</Button>
        <Button type="submit" look={ask.danger ? "danger" : "primary"} size={32} keys="⌘ ↵" blocked={missing} disabled={busy}>{ask.confirm}</Button>
      </div>
    </form>
  );
}
