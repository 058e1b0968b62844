import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Dialog } from "@/components/ui/dialog";
import { TypedConfirm } from "@/components/ui/typed-confirm";
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
  const act = useMutation({
    mutationFn: () => removeNotification(notification.id),
    onSuccess: async () => {
      onRemoved();
      await queryClient.invalidateQueries({ queryKey: keys.notifications });
    },
  });
  return <TypedConfirm name={notification.name} missing="Type its name" verb="Delete" act={act} onClose={onClose} />;
}
