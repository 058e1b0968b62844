import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Textarea } from "@/components/ui/field";
import { resumeHalt } from "@/lib/api/halts";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Halt } from "@/lib/api/types";

export function ResumeDialog({ halt, open, onOpenChange }: { halt: Halt; open: boolean; onOpenChange: (open: boolean) => void }) {
  const [reason, setReason] = useState("");
  const queryClient = useQueryClient();
  const resume = useMutation({
    mutationFn: () => resumeHalt({ scope: halt.scope, ...(halt.scope === "workspace" ? { workspace: halt.scope_id } : {}), reason: reason.trim() }),
    onSuccess: async () => {
      onOpenChange(false);
      setReason("");
      await queryClient.invalidateQueries({ queryKey: keys.halts });
    },
  });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Resume"
      description="Opens the fence again: new runs may start. Stopped runs stay cancelled and are planned anew."
      footer={
        <>
          <Button look="ghost" onClick={() => onOpenChange(false)}>Keep the halt</Button>
          <Button look="primary" blocked={reason.trim() ? null : "Say why, for the audit trail"} disabled={resume.isPending} onClick={() => resume.mutate()}>Resume</Button>
        </>
      }
    >
      <form className="p-5" onSubmit={(event) => { event.preventDefault(); if (reason.trim()) resume.mutate(); }}>
        <Field label="Why (kept in the audit trail)" error={resume.error ? explain(resume.error) : null}>
          {(ids) => <Textarea {...ids} value={reason} onChange={(event) => setReason(event.target.value)} />}
        </Field>
      </form>
    </Dialog>
  );
}
