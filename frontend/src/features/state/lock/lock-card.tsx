import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Lock as LockIcon, LockOpen } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Fact, SectionHead, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { ReasonDialog, type ReasonAsk } from "@/components/ui/reason-dialog";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay, useMe } from "@/lib/api/session";
import { lockQuery, lockState, releaseOrphaned, unlockState } from "@/lib/api/state";
import type { Lock, Workspace } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment, shortId, since } from "@/lib/format";
import { ForceUnlockDialog } from "./force-unlock";
import { holdOf, type Hold } from "./hold";

/** Who holds the state, whether they live, and what may be done about it. */
export function LockCard({ workspace }: { workspace: Workspace }) {
  const lock = useQuery(lockQuery(workspace.id));
  const hold = holdOf(lock.data ?? null, useMe().id);
  return (
    <section id="lock" aria-labelledby="rail-lock" className={cx("scroll-mt-2 border-b border-line px-4 py-3", hold === "orphaned" && "bg-replace-bg")}>
      <SectionHead id="rail-lock" title="State lock" aside={lock.data === undefined ? null : <HoldWord hold={hold} />} />
      {lock.isPending ? <Skeleton rows={2} height={24} /> : lock.error && lock.data === undefined ? <p role="alert" className="text-12 text-destroy">{explain(lock.error)}</p> : <Held workspace={workspace} lock={lock.data ?? null} hold={hold} />}
    </section>
  );
}

const WORDS: Record<Hold, { word: string; tone: string }> = {
  free: { word: "free", tone: "text-ink-3" },
  alive: { word: "holder alive", tone: "text-create" },
  mine: { word: "yours", tone: "text-ink" },
  person: { word: "by hand", tone: "text-ink" },
  orphaned: { word: "holder dead", tone: "text-replace" },
};

function HoldWord({ hold }: { hold: Hold }) {
  const { word, tone } = WORDS[hold];
  const Icon = hold === "free" || hold === "orphaned" ? LockOpen : LockIcon;
  return (
    <span role="status" className={cx("inline-flex items-center gap-1.5 font-medium", tone)}>
      {hold === "alive" ? <span className="size-2 rounded-full bg-mark-create" aria-hidden /> : <Icon size={13} aria-hidden />}
      {word}
    </span>
  );
}

const ADVICE: Record<Hold, string> = {
  free: "Runs may start. Lock it by hand to keep them out while you work on the infrastructure yourself.",
  alive: "A living run's lock is never taken away. Cancel or halt the run: it stores its state, then releases the lock.",
  mine: "Runs wait until you release it; speculative plans go on.",
  person: "Runs wait until it is released; speculative plans go on.",
  orphaned: "Its process is proven dead and the state that it sent is kept. Look at the newest version, then release the lock.",
};

function Held({ workspace, lock, hold }: { workspace: Workspace; lock: Lock | null; hold: Hold }) {
  const now = useNow(2_000);
  const may = useMay();
  const queryClient = useQueryClient();
  const [ask, setAsk] = useState<ReasonAsk | null>(null);
  const [forcing, setForcing] = useState(false);
  const settle = async () => {
    await Promise.all([keys.lock(workspace.id), keys.workspaces, keys.inbox, keys.runs].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
  };
  const take = useMutation({ mutationFn: (reason: string) => lockState(workspace.id, reason), onSuccess: settle });
  const release = useMutation({ mutationFn: () => (hold === "orphaned" ? releaseOrphaned(workspace.id) : unlockState(workspace.id)), onSettled: settle });
  const askLock = () => {
    take.reset();
    setAsk({
      title: `Lock ${workspace.name}`, label: "Why (everybody sees it)", required: true, confirm: "Lock the state", danger: false,
      description: "No run of this workspace starts until you release it: plans and applies wait in the queue. Refused while a run is at work.",
      act: (reason) => take.mutateAsync(reason),
    });
  };
  const act: Record<Hold, ReactNode> = {
    free: <Button size={26} icon={<LockIcon size={13} />} blocked={may("state:write")} onClick={askLock}>Lock by hand</Button>,
    alive: lock?.run_id ? <Link to="/infra/terraform/runs/$id" params={{ id: lock.run_id }} className="link text-12">Go to the run</Link> : null,
    mine: <Button size={26} icon={<LockOpen size={13} />} blocked={may("state:write")} disabled={release.isPending} onClick={() => release.mutate()}>Release</Button>,
    person: <Button size={26} look="danger-line" blocked={may("state:unlock")} onClick={() => setForcing(true)}>Force-unlock…</Button>,
    orphaned: <Button size={26} look="primary" icon={<LockOpen size={13} />} blocked={may("state:unlock")} disabled={release.isPending} onClick={() => release.mutate()}>Release the lock</Button>,
  };
  return (
    <>
      {lock ? (
        <dl className="mt-0.5">
          <Fact label="Holder">
            {lock.run_id ? (
              <Link to="/infra/terraform/runs/$id" params={{ id: lock.run_id }} className="link font-mono">{shortId(lock.run_id)}</Link>
            ) : <span className="font-medium">{lock.holder.name ?? "a person"}</span>}
            {lock.run_id && lock.holder.name ? <span className="text-ink-2"> on {lock.holder.host ?? lock.holder.name}</span> : null}
          </Fact>
          {lock.reason ? <div className="flex gap-3 text-12 leading-5"><dt className="w-24 shrink-0 text-ink-3">Why</dt><dd className="min-w-0 break-words">{lock.kind === "manual" ? `“${lock.reason}”` : lock.reason}</dd></div> : null}
          <Fact label="Since">{moment(lock.acquired_at, now)} <span className="text-ink-3">{since(lock.acquired_at, now)}</span></Fact>
          {lock.kind === "run" ? <Fact label="Heartbeat"><span className={cx(hold === "orphaned" && "text-replace")}>{since(lock.heartbeat_at, now)} ago</span></Fact> : null}
        </dl>
      ) : null}
      <p className="mt-1 text-12 text-ink-2">{ADVICE[hold]}</p>
      <div className="mt-2 flex items-center gap-3">
        {act[hold]}
        {release.error ? <span role="alert" className="text-12 text-destroy">{explain(release.error)}</span> : null}
      </div>
      <ReasonDialog ask={ask} onClose={() => setAsk(null)} error={take.error ? explain(take.error) : null} />
      <ForceUnlockDialog workspace={workspace} lock={forcing ? lock : null} onClose={() => setForcing(false)} onDone={settle} />
    </>
  );
}
