import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TypedName } from "@/components/ui/typed-name";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Notification } from "@/lib/api/types";
import { removeNotification } from "./api";

/** Deletes a destination, with the friction that it deserves: its secret and its deliveries go with it. */
export function RemoveDialog({ notification, onClose, onRemoved }: { notification: Notification | null; onClose: () => void; onRemoved: () => void }) {
  return (
    <Dialog open={notification !== null} onOpenChange={(open) => { if (!open) onClose(); }} title="Delete a destination" description="It hears nothing any more. Its secret, its deliveries and what waits to be sent go with it. To stop it for a while, disable it instead.">
      {notification ? <Body key={notification.id} notification={notification} onClose={onClose} onRemoved={onRemoved} /> : null}
    </Dialog>
  );
}

function Body({ notification, onClose, onRemoved }: { notification: Notification; onClose: () => void; onRemoved: () => void }) {
  const queryClient = useQueryClient();
  const [typed, setTyped] = useState("");
  const act = useMutation({
    mutationFn: () => removeNotification(notification.id),
    onSuccess: async () => {
      onRemoved();
      await queryClient.invalidateQueries({ queryKey: keys.notifications });
    },
  });
  const missing = typed === notification.name ? null : "Type its name";
  return (
    <form className="flex flex-col gap-4 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing) act.mutate(); }}>
      <label className="flex flex-col gap-1 text-11 text-ink-3">Type {notification.name}<TypedName wide name={notification.name} typed={typed} onTyped={setTyped} /></label>
      {act.error ? <p role="alert" className="text-12 text-destroy">{explain(act.error)}</p> : null}
      <div className="flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it</Button>
        <Button type="submit" look="danger" size={32} blocked={missing} disabled={act.isPending}>Delete</Button>
      </div>
    </form>
  );
}
