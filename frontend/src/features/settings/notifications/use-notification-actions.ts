import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Notification, NotificationChange } from "@/lib/api/types";
import { changeNotification, testNotification, triedQuery, wasTried } from "./api";
import { answerWords } from "./words";

export interface Said {
  text: string;
  tone: "plain" | "create" | "destroy";
}

/** Testing, enabling, disabling and new secrets, with what came of the last of them in one line. */
export function useNotificationActions() {
  const queryClient = useQueryClient();
  const [tested, setTested] = useState<{ id: string; name: string } | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const moved = (id: string) => Promise.all([keys.notifications, keys.notification(id)].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
  const change = useMutation({
    mutationFn: ({ id, ...body }: { id: string } & NotificationChange) => changeNotification(id, body),
    onSuccess: (answer) => {
      if (answer.secret) setSecret(answer.secret);
      return moved(answer.id);
    },
  });
  const test = useMutation({
    mutationFn: (notification: Notification) => testNotification(notification.id),
    onSuccess: (delivery, notification) => {
      setTested({ id: delivery.id, name: notification.name });
      return moved(notification.id);
    },
  });
  const tried = useQuery({ ...triedQuery(tested?.id ?? ""), enabled: tested !== null }).data;
  const failure = change.error ?? test.error;
  let said: Said | null = null;
  if (failure) said = { text: explain(failure), tone: "destroy" };
  else if (tested && !(tried && wasTried(tried))) said = { text: `Test of ${tested.name}: on its way`, tone: "plain" };
  else if (tested && tried) said = { text: `Test of ${tested.name}: ${answerWords(tried)}`, tone: tried.status === "delivered" ? "create" : "destroy" };
  return {
    said,
    secret,
    setSecret,
    isBusy: change.isPending || test.isPending,
    change: (id: string, body: NotificationChange) => {
      test.reset();
      change.mutate({ id, ...body });
    },
    test: (notification: Notification) => {
      change.reset();
      test.mutate(notification);
    },
  };
}

export type NotificationActions = ReturnType<typeof useNotificationActions>;
