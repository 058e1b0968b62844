import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Check, Download, OctagonX } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input, Select, Textarea } from "@/components/ui/field";
import { haltsQuery, raiseHalt } from "@/lib/api/halts";
import { explain } from "@/lib/api/http";
import { useMay, useMe } from "@/lib/api/session";
import type { Halt } from "@/lib/api/types";
import { workspaceNamesQuery } from "@/lib/api/workspaces";
import { saveText } from "@/lib/save";
import { Drills } from "./drills";
import { HaltProgress } from "./progress";
import { ResumeDialog } from "./resume";

/** The kill switch: scope, why, HALT. While one stands, the same dialog shows what it has stopped and what still lives. */
export function HaltDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const standing = useQuery(haltsQuery).data?.active[0];
  const [resuming, setResuming] = useState(false);
  const mayResume = useMay()("halt:resume");
  if (standing) {
    return (
      <>
        <Dialog
          wide
          open={open && !resuming}
          onOpenChange={onOpenChange}
          title={<><OctagonX size={17} className="shrink-0 text-destroy" />Halt raised</>}
          aside={<span className="font-mono max-sm:hidden">{standing.id}</span>}
          footer={
            <>
              <span className="mr-auto text-12 text-ink-2">Resume opens the fence again; stopped runs stay cancelled and are planned anew.</span>
              <Button size={32} look="ghost" icon={<Download size={14} />} className="max-sm:hidden" onClick={() => saveText(`${standing.id}.json`, `${JSON.stringify(standing, null, 2)}\n`, "application/json")}>Record</Button>
              <Button size={32} blocked={mayResume} onClick={() => setResuming(true)}>Resume</Button>
              <Button size={32} look="primary" keys="Esc" onClick={() => onOpenChange(false)}>Close, keep the halt</Button>
            </>
          }
        >
          <HaltProgress halt={standing} />
        </Dialog>
        <ResumeDialog halt={standing} open={resuming} onOpenChange={setResuming} />
      </>
    );
  }
  return <RaiseDialog open={open} onOpenChange={onOpenChange} />;
}

function Scope({ value, label, hint, checked, onPick, why }: { value: string; label: string; hint: string; checked: boolean; onPick: () => void; why?: string | null }) {
  return (
    <label className="flex gap-2.5 py-1">
      <input
        type="radio"
        name="scope"
        value={value}
        checked={checked}
        disabled={Boolean(why)}
        onChange={onPick}
        className="mt-[3px] size-3.5 shrink-0 appearance-none rounded-full border border-ctl bg-surface checked:border-[4px] checked:border-primary disabled:bg-sunken"
      />
      <span>
        <span className={checked ? "font-medium" : "text-ink-2"}>{label}</span>
        <span className="block text-12 text-ink-3">{why ?? hint}</span>
      </span>
    </label>
  );
}

function RaiseDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const me = useMe();
  const why = useMay()("halt:raise");
  const queryClient = useQueryClient();
  const [scope, setScope] = useState<Halt["scope"]>("organization");
  const [workspace, setWorkspace] = useState("");
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const names = useQuery({ ...workspaceNamesQuery, enabled: open }).data?.items;
  const raise = useMutation({
    mutationFn: () => raiseHalt({ scope, reason: reason.trim(), ...(scope === "workspace" ? { workspace } : {}) }),
    onSuccess: async () => {
      setTyped("");
      setReason("");
      await queryClient.invalidateQueries();
    },
  });
  const missing = why ?? (scope === "workspace" && !workspace ? "Choose the workspace" : !reason.trim() ? "Say why" : typed !== "HALT" ? "Type HALT" : null);
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={<><OctagonX size={17} className="text-destroy" />Halt</>}
      description="Nothing new can start from this moment; every process in scope is interrupted, then killed. States that were written are kept."
      footer={
        <>
          <span className="mr-auto text-12 text-ink-2" role="status">{missing && !raise.isPending ? `Missing: ${missing.toLowerCase().replace("halt", "HALT")}.` : null}</span>
          <Button size={32} look="ghost" keys="Esc" onClick={() => onOpenChange(false)}>Leave it</Button>
          <Button size={32} look="danger" icon={<OctagonX size={15} />} blocked={missing} disabled={raise.isPending} onClick={() => raise.mutate()}>Raise the halt</Button>
        </>
      }
    >
      <form className="flex flex-col gap-4 px-5 py-4" onSubmit={(event) => { event.preventDefault(); if (!missing) raise.mutate(); }}>
        <fieldset>
          <legend className="mb-1 text-11 text-ink-3">Scope</legend>
          <Scope value="everything" label="Everything" hint="every organization on this installation" why={me.organization.is_operator ? null : "only the operator's organization may"} checked={scope === "everything"} onPick={() => setScope("everything")} />
          <Scope value="organization" label={`Organization ${me.organization.name}`} hint="all of its workspaces" checked={scope === "organization"} onPick={() => setScope("organization")} />
          <Scope value="workspace" label="One workspace" hint="the others go on" checked={scope === "workspace"} onPick={() => setScope("workspace")} />
          {scope === "workspace" ? (
            <Select aria-label="Workspace" className="mt-1" value={workspace} onChange={(event) => setWorkspace(event.target.value)}>
              <option value="">Choose</option>
              {names?.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
            </Select>
          ) : null}
        </fieldset>
        <Field label="Why" hint="Shown to everyone, and kept in the audit trail.">
          {(ids) => <Textarea {...ids} autoFocus value={reason} onChange={(event) => setReason(event.target.value)} />}
        </Field>
        <Field label="Type HALT" error={raise.error ? explain(raise.error) : null}>
          {(ids) => (
            <span className="relative block">
              <Input {...ids} className="font-mono" value={typed} onChange={(event) => setTyped(event.target.value)} />
              {typed === "HALT" ? <Check size={15} className="absolute top-1/2 right-2.5 -translate-y-1/2 text-create" aria-hidden /> : null}
            </span>
          )}
        </Field>
        <Drills />
      </form>
    </Dialog>
  );
}
