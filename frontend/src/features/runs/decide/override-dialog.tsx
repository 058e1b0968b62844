import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Select, Textarea } from "@/components/ui/field";
import { FailedCheck } from "@/features/runs/rail/policies";
import { ApiError, explain } from "@/lib/api/http";
import type { Run } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { hourMinute } from "@/lib/format";
import { blocking } from "@/lib/plan/blocking";

const HOUR = 3600;
const LENGTHS = [
  { seconds: HOUR, label: "1 hour" },
  { seconds: 4 * HOUR, label: "4 hours" },
  { seconds: 8 * HOUR, label: "8 hours" },
  { seconds: 24 * HOUR, label: "1 day" },
  { seconds: 3 * 24 * HOUR, label: "3 days" },
  { seconds: 7 * 24 * HOUR, label: "7 days" },
];

interface OverrideProps {
  run: Run;
  open: boolean;
  onClose: () => void;
  busy: boolean;
  error: unknown;
  onOverride: (body: { reason: string; expires_in_seconds: number }) => Promise<unknown>;
}

/** Lets a plan wait for approval although policies deny it: what they found, why all the same, and for how long. */
export function OverrideDialog({ open, onClose, ...rest }: OverrideProps) {
  return (
    <Dialog open={open} onOpenChange={(next) => { if (!next) onClose(); }} title="Override the policies" description="The plan then waits for approval like any other; nothing is applied by this. It is shown beside the run for ever, with your name.">
      {open ? <Body onClose={onClose} {...rest} /> : null}
    </Dialog>
  );
}

function Body({ run, onClose, busy, error, onOverride }: Omit<OverrideProps, "open">) {
  const now = useNow();
  const [reason, setReason] = useState("");
  const [seconds, setSeconds] = useState(8 * HOUR);
  const missing = reason.trim() ? null : "Say why";
  const named = error instanceof ApiError ? error.field("reason") : undefined;
  const submit = async () => {
    if (missing || busy) return;
    try {
      await onOverride({ reason: reason.trim(), expires_in_seconds: seconds });
      onClose();
    } catch {
      // The mutation holds the error, which is shown below; what was typed stays.
    }
  };
  return (
    <form className="flex flex-col gap-4 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); void submit(); }}>
      <div>
        <p className="mb-1.5 text-11 text-ink-3">What you override</p>
        <ul className="flex max-h-[30vh] flex-col gap-2.5 overflow-auto" tabIndex={0} aria-label="What you override">{blocking(run).map((check) => <FailedCheck key={check.id} check={check} />)}</ul>
      </div>
      <Field label="Why the plan may go on" error={named}>
        {(ids) => <Textarea {...ids} autoFocus rows={3} maxLength={4000} value={reason} onChange={(event) => setReason(event.target.value)} onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void submit(); }} />}
      </Field>
      <Field label="How long" hint={`Ends ${hourMinute(new Date(now + seconds * 1000).toISOString(), now)}. What is not applied by then is blocked again, and its approvals are void.`}>
        {(ids) => <Select {...ids} value={seconds} onChange={(event) => setSeconds(Number(event.target.value))}>{LENGTHS.map((each) => <option key={each.seconds} value={each.seconds}>{each.label}</option>)}</Select>}
      </Field>
      {error && !named ? <p role="alert" className="text-12 text-destroy">{explain(error)}</p> : null}
      <div className="flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it blocked</Button>
        <Button type="submit" look="danger" size={32} keys="⌘ ↵" blocked={missing} disabled={busy}>Override</Button>
      </div>
    </form>
  );
}
