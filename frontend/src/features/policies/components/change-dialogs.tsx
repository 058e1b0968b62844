import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Unified } from "@/components/domain/diff-lines";
import { Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TypedConfirm } from "@/components/ui/typed-confirm";
import { detach, pinnedSourceQuery, setSourceQuery, sync } from "@/features/policies/api/policies";
import { bound, sourceKind } from "@/features/policies/api/words";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { PolicyAttachment } from "@/lib/api/types";
import { diffLines, foldContext } from "@/lib/diff/lines";
import { plural, shortDigest } from "@/lib/format";
import { filesOf } from "./source";
import { setName } from "@/lib/policy-words";

const MOVES = "Approvals of the plans that it binds become void, and those plans are checked again. Runs that work are not interrupted; they are checked before they apply.";

function useMoved() {
  const queryClient = useQueryClient();
  // The list alone: the text of one that is gone can't be read again.
  return () => Promise.all([queryClient.invalidateQueries({ queryKey: keys.attachments, exact: true }), ...[keys.policySets, keys.inbox, keys.runs].map((queryKey) => queryClient.invalidateQueries({ queryKey }))]);
}

/** Reads the set again; where the text is known beforehand, it shows what changes. */
export function SyncDialog({ attachment, onClose }: { attachment: PolicyAttachment | null; onClose: () => void }) {
  return (
    <Dialog open={attachment !== null} onOpenChange={(open) => { if (!open) onClose(); }} wide={attachment !== null && sourceKind(attachment.policy_set_uri) === "shipped"} title={<>Sync <span className="font-mono text-13">{attachment ? setName(attachment.policy_set_uri) : ""}</span></>} description={`Pins the attachment to the policy set as it is now. ${MOVES}`}>
      {attachment ? <SyncBody key={attachment.id} attachment={attachment} onClose={onClose} /> : null}
    </Dialog>
  );
}

function SyncBody({ attachment, onClose }: { attachment: PolicyAttachment; onClose: () => void }) {
  const moved = useMoved();
  const readable = sourceKind(attachment.policy_set_uri) === "shipped";
  const before = useQuery(pinnedSourceQuery(attachment));
  const after = useQuery({ ...setSourceQuery(attachment.policy_set_uri), enabled: readable });
  const act = useMutation({ mutationFn: () => sync(attachment.id), onSuccess: () => moved() });
  const same = after.data?.bundle_digest === attachment.bundle_digest;
  const done = act.data;
  return (
    <div className="flex flex-col gap-3 p-5 pt-3">
      {done ? (
        <p role="status" className="text-13">{done.is_changed ? <>Pinned to <span className="font-mono">{shortDigest(done.attachment.bundle_digest)}</span>. Plans that wait are checked again.</> : "Nothing moved: the set is as it was pinned."}</p>
      ) : readable && (before.isPending || after.isPending) ? <Skeleton rows={5} height={20} /> : same ? <p className="text-13 text-ink-2">The set is as it was pinned: nothing would move.</p> : before.data && after.data ? <SourceDiff before={filesOf(before.data)} after={filesOf(after.data)} /> : (
        <p className="text-13 text-ink-2">{after.error ? explain(after.error) : "What it is now is known once it is read."}</p>
      )}
      {act.error ? <p role="alert" className="text-12 text-destroy">{explain(act.error)}</p> : null}
      <div className="flex justify-end gap-2">
        {done ? <Button size={32} look="primary" onClick={onClose}>Done</Button> : (
          <>
            <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it pinned</Button>
            <Button look="primary" size={32} disabled={act.isPending} onClick={() => act.mutate()}>{after.data && !same ? `Sync to ${shortDigest(after.data.bundle_digest)}` : "Sync"}</Button>
          </>
        )}
      </div>
    </div>
  );
}

/** What differs between two texts of a set, a file at a time, with a little around it. */
function SourceDiff({ before, after }: { before: Record<string, string>; after: Record<string, string> }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().filter((name) => before[name] !== after[name]);
  return (
    <div className="max-h-[46vh] overflow-auto rounded-ctl border border-line" tabIndex={0} role="group" aria-label="What changes">
      {names.map((name) => {
        const lines = diffLines((before[name] ?? "").split("\n"), (after[name] ?? "").split("\n"));
        return (
          <section key={name}>
            <h3 className="flex h-7 items-center gap-2 border-b border-line bg-canvas px-3 font-mono text-12">{name}<span className="font-sans text-ink-3">{!(name in before) ? "new" : !(name in after) ? "gone" : ""}</span></h3>
            {foldContext(lines).map((hunk, i) => ("fold" in hunk ? <p key={i} className="bg-sunken px-3 text-11 text-ink-3">{plural(hunk.fold, "line")} the same</p> : <Unified key={i} lines={hunk.lines} />))}
          </section>
        );
      })}
    </div>
  );
}

/** Takes a judge away, with the friction that it deserves: the set's name is typed. */
export function DetachDialog({ attachment, onClose, onDetached }: { attachment: PolicyAttachment | null; onClose: () => void; onDetached: () => void }) {
  return (
    <Dialog open={attachment !== null} onOpenChange={(open) => { if (!open) onClose(); }} title="Detach a policy set" description={attachment ? `${setName(attachment.policy_set_uri)} judges no plan of ${bound(attachment)} any more. ${MOVES} What it said of runs stays with them.` : ""}>
      {attachment ? <DetachBody key={attachment.id} attachment={attachment} onClose={onClose} onDetached={onDetached} /> : null}
    </Dialog>
  );
}

function DetachBody({ attachment, onClose, onDetached }: { attachment: PolicyAttachment; onClose: () => void; onDetached: () => void }) {
  const moved = useMoved();
  const act = useMutation({
    mutationFn: () => detach(attachment.id),
    onSuccess: async () => {
      await moved();
      onDetached();
    },
  });
  return <TypedConfirm name={setName(attachment.policy_set_uri)} missing="Type the set's name" verb="Detach" act={act} onClose={onClose} />;
}
