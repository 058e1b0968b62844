import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { decide, overrideRun, requestRun, stopRun } from "@/lib/api/runs";
import { type BackendBody, requestMigration, requestRollback } from "@/lib/api/state";
import type { Run } from "@/lib/api/types";
import type { ReasonAsk } from "@/components/ui/reason-dialog";

/** The same again: a rollback or a migration to the same place, all else as a new plan. */
function requestAgain(run: Run, key: string): Promise<Run> {
  const { target, workspace, kind } = run;
  const message = run.message ? { message: run.message } : {};
  if (kind === "rollback" && target?.state_version_id) return requestRollback(workspace.id, { state_version_id: target.state_version_id, ...message }, key);
  if (kind === "migration" && target?.state_backend) return requestMigration(workspace.id, { state_backend: target.state_backend as BackendBody["state_backend"], state_backend_settings: target.state_backend_settings ?? {}, ...message }, key);
  return requestRun({ workspace: workspace.id, kind: kind === "destroy" || kind === "refresh" ? kind : "plan", ...message }, key);
}

/** What a person can do to a run, with what it says when it was refused. */
export function useRunActions(run: Run, child: Run | undefined) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const [ask, setAsk] = useState<ReasonAsk | null>(null);
  const [planKey] = useState(() => crypto.randomUUID());

  // The answer is shown at once; what else became old is read again in its own time.
  const settle = (next?: Run) => {
    if (next?.id === run.id) queryClient.setQueryData(keys.run(run.id), next);
    for (const queryKey of [keys.run(run.id), keys.inbox, keys.runs, keys.workspaces]) void queryClient.invalidateQueries({ queryKey });
  };
  const fingerprint = run.fingerprint?.digest;
  const approve = useMutation({ mutationFn: (comment: string) => decide(run.id, "approve", { ...(comment ? { comment } : {}), fingerprint }), onSuccess: settle, onError: () => settle() });
  const reject = useMutation({ mutationFn: (comment: string) => decide(run.id, "reject", { ...(comment ? { comment } : {}), fingerprint }), onSuccess: settle });
  const revoke = useMutation({ mutationFn: (comment: string) => decide(run.id, "revoke", comment ? { comment } : {}), onSuccess: settle });
  const override = useMutation({ mutationFn: (body: { reason: string; expires_in_seconds: number }) => overrideRun(run.id, { ...body, fingerprint }), onSuccess: settle });
  const discard = useMutation({ mutationFn: (reason: string) => stopRun(run.id, "discard", reason), onSuccess: settle });
  const cancel = useMutation({ mutationFn: (reason: string) => stopRun(child && child.status !== "applied" ? child.id : run.id, "cancel", reason), onSuccess: () => settle() });
  const planAgain = useMutation({
    mutationFn: () => requestAgain(run, planKey),
    onSuccess: async (next) => {
      settle();
      await navigate({ to: "/infra/terraform/runs/$id", params: { id: next.id }, search: {} });
    },
  });
  const failed = [approve, reject, revoke, discard, cancel, planAgain].find((each) => each.error)?.error;

  return {
    approve, planAgain, override, ask,
    closeAsk: () => setAsk(null),
    error: failed ? explain(failed) : null,
    busy: approve.isPending || discard.isPending || cancel.isPending,
    askReject: () => {
      reject.reset();
      setAsk({ title: "Reject this plan", description: "Says no, with your name. The plan stays at the gate until it is discarded or approved by others.", label: "Why", required: true, confirm: "Reject", danger: false, act: (reason) => reject.mutateAsync(reason) });
    },
    askDiscard: () => {
      discard.reset();
      setAsk({ title: "Discard this plan", description: "Ends it. Nothing was changed and nothing will be; the workspace can be planned anew.", label: "Why (kept in the audit trail)", required: false, confirm: "Discard", danger: false, act: (reason) => discard.mutateAsync(reason) });
    },
    askRevoke: () => {
      revoke.reset();
      setAsk({ title: "Revoke your approval", description: "Takes it back. It counts no more for this plan.", label: "Why", required: false, confirm: "Revoke", danger: false, act: (reason) => revoke.mutateAsync(reason) });
    },
    askCancel: () => {
      cancel.reset();
      setAsk({
        title: child ? "Cancel the apply" : "Cancel this run",
        description: child ? "Starts nothing more, lets what is in hand end, and keeps the state. What has not begun stays undone." : "Interrupts the engine. A plan changes nothing, so nothing is left behind.",
        label: "Why (kept in the audit trail)", required: false, confirm: "Cancel the run", danger: true, act: (reason) => cancel.mutateAsync(reason),
      });
    },
  };
}
