import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { ShownOnce } from "@/features/settings/components/once";
import type { Notification } from "@/lib/api/types";
import { NotificationDialog } from "./form-dialog";
import { RemoveDialog } from "./remove-dialog";
import type { NotificationActions } from "./use-notification-actions";

/** What is being asked: a new destination, or something of one that is there. */
export type Ask = { what: "add" } | { what: "change" | "remove" | "renew"; of: Notification };

/** The dialogs of the list and of a destination's page. */
export function NotificationDialogs({ ask, actions, onClose, onRemoved }: { ask: Ask | null; actions: NotificationActions; onClose: () => void; onRemoved?: () => void }) {
  const renewing = ask?.what === "renew" ? ask.of : null;
  return (
    <>
      <NotificationDialog of={ask?.what === "add" ? null : ask?.what === "change" ? ask.of : undefined} onClose={onClose} onSaved={(saved) => { onClose(); if (saved.secret) actions.setSecret(saved.secret); }} />
      <RemoveDialog notification={ask?.what === "remove" ? ask.of : null} onClose={onClose} onRemoved={() => { onClose(); onRemoved?.(); }} />
      <Dialog
        open={renewing !== null}
        onOpenChange={(open) => { if (!open) onClose(); }}
        title="New signing secret"
        description={`The next delivery to ${renewing?.name ?? ""} is signed with it. A receiver that checks signatures refuses what comes until it has the new one; the old one can't be brought back.`}
        footer={<><Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep the old one</Button><Button look="danger" size={32} onClick={() => { if (renewing) actions.change(renewing.id, { new_secret: true }); onClose(); }}>Make a new one</Button></>}
      >
        <div className="h-3" />
      </Dialog>
      <ShownOnce title="Signing secret" secret={actions.secret} note="Deliveries are signed with it. It is shown this once and kept sealed: give it to the receiver now." onClose={() => actions.setSecret(null)} />
    </>
  );
}
