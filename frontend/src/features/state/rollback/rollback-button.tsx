import { useMutation, useQuery, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Undo2 } from "lucide-react";
import { useState } from "react";
import { CountLine } from "@/components/domain/counts";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/field";
import { stateLink } from "@/features/state/search";
import { haltOver, haltsQuery } from "@/lib/api/halts";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import { lockQuery, requestRollback, stateDiffQuery } from "@/lib/api/state";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { rollbackBlocked } from "./blocked";

/** Opens the rollback's dialog, or says why there can be none. */
export function RollbackButton({ workspace, version, newest }: { workspace: Workspace; version: StateVersion; newest: StateVersion | undefined }) {
  const [open, setOpen] = useState(false);
  const may = useMay();
  const lock = useQuery(lockQuery(workspace.id)).data;
  const halt = haltOver(useQuery(haltsQuery).data?.active ?? [], workspace.id);
  const blocked = halt ? `A halt stands: ${halt.reason}` : may("state:write") ?? rollbackBlocked(version, newest, lock);
  return (
    <>
      <Button size={26} className="max-sm:h-9" icon={<Undo2 size={13} />} blocked={blocked} onClick={() => setOpen(true)}>Roll back to {version.number}…</Button>
      <Dialog open={open} onOpenChange={setOpen} title={`Roll the state back to version ${version.number}`} description="Plans the rollback. Nothing is written yet: the plan passes policy and waits for approval, like any other.">
        {newest ? <Form workspace={workspace} version={version} newest={newest} onClose={() => setOpen(false)} /> : null}
      </Dialog>
    </>
  );
}

function Form({ workspace, version, newest, onClose }: { workspace: Workspace; version: StateVersion; newest: StateVersion; onClose: () => void }) {
  const [message, setMessage] = useState("");
  const [key] = useState(() => crypto.randomUUID());
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const ask = useMutation({
    mutationFn: () => requestRollback(workspace.id, { state_version_id: version.id, ...(message.trim() ? { message: message.trim() } : {}) }, key),
    onSuccess: async (run) => {
      void queryClient.invalidateQueries({ queryKey: keys.workspaces });
      await navigate({ to: "/infra/terraform/runs/$id", params: { id: run.id }, search: {} });
    },
  });
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!ask.isPending) ask.mutate(); }}>
      <Outlook workspace={workspace} version={version} newest={newest} />
      <p className="text-12 text-ink-2">It becomes version {newest.number + 1}, serial {newest.serial + 1}; the versions between stay. No resource is touched: what exists stays as it is, and the next plan shows what the configuration makes of it.</p>
      <Field label="Why (the title of the run; kept)" error={ask.error ? explain(ask.error) : null}>{(ids) => <Input {...ids} autoFocus placeholder={`Roll the state back to version ${version.number}`} value={message} onChange={(event) => setMessage(event.target.value)} />}</Field>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it</Button>
        <Button type="submit" look="primary" size={32} disabled={ask.isPending}>Plan the rollback</Button>
      </div>
    </form>
  );
}

/** What the state would say otherwise, before anything is asked for. */
function Outlook({ workspace, version, newest }: { workspace: Workspace; version: StateVersion; newest: StateVersion }) {
  const pages = useInfiniteQuery(stateDiffQuery(newest.id, version.id));
  const diff = pages.data?.pages[0];
  const counts = diff ? { add: diff.added, change: diff.changed, replace: 0, destroy: diff.removed } : null;
  return (
    <div className="border-y border-line py-2 text-12">
      {counts && diff ? (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span>Against the current version {newest.number}:</span>
          <CountLine counts={counts} wording="state" none="no resource differs" />
          {diff.outputs.length > 0 ? <span>{plural(diff.outputs.length, "output")}</span> : null}
          <Link {...stateLink(workspace.id, { a: newest.id, b: version.id })} className="link ml-auto">See the difference</Link>
        </p>
      ) : pages.error ? (
        <p role="alert" className="text-destroy">{explain(pages.error)}</p>
      ) : (
        <p className="text-ink-2">Comparing with the current version…</p>
      )}
      {diff && diff.removed > 0 ? <p className="mt-1 text-destroy">The state forgets {plural(diff.removed, "resource")}: what exists of {diff.removed === 1 ? "it" : "them"} stays, and nobody manages it.</p> : null}
    </div>
  );
}
