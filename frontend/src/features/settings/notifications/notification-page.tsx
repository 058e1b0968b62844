import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, Send } from "lucide-react";
import { useState } from "react";
import { Empty, FactCell, FactStrip, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { explain } from "@/lib/api/http";
import { workspaceNamesQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";
import { moment } from "@/lib/format";
import { notificationQuery } from "./api";
import { Deliveries } from "./deliveries";
import { type Ask, NotificationDialogs } from "./dialogs";
import { NotificationState, SaidLine } from "./state";
import { useNotificationActions } from "./use-notification-actions";
import { whereWords } from "./words";

/** One destination: what it hears of, how it fares, and what was sent to it. */
export function NotificationPage({ id }: { id: string }) {
  const now = useNow();
  const navigate = useNavigate();
  const actions = useNotificationActions();
  const [ask, setAsk] = useState<Ask | null>(null);
  const [isGone, setGone] = useState(false);
  const query = useQuery({ ...notificationQuery(id), enabled: !isGone });
  const names = new Map(useQuery(workspaceNamesQuery).data?.items.map((row) => [row.id, row.name]));
  const of = query.data;
  const back = <Link to="/settings" search={{ tab: "notifications" }} className="inline-flex h-7 items-center gap-1 text-12 text-ink-2 hover:text-ink max-sm:h-11"><ChevronLeft size={14} aria-hidden />Destinations</Link>;
  if (query.error && !of) return <><div className="px-5 py-1.5">{back}</div><Empty title="The destination could not be read."><p role="alert">{explain(query.error)}</p></Empty></>;
  if (!of) return <Skeleton rows={6} />;
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-5 py-1.5 max-sm:px-4">
        {back}
        <h2 className="text-13 font-semibold">{of.name}</h2>
        <span className="text-12"><NotificationState notification={of} now={now} /></span>
        <SaidLine said={actions.said} otherwise="" />
        <span className="ml-auto flex flex-wrap gap-2">
          <Button size={26} icon={<Send size={13} />} disabled={actions.isBusy} onClick={() => actions.test(of)}>Test</Button>
          <Button size={26} disabled={actions.isBusy} onClick={() => actions.change(of.id, { is_enabled: !of.is_enabled })}>{of.is_enabled ? "Disable" : "Enable"}</Button>
          <Button size={26} onClick={() => setAsk({ what: "change", of })}>Change</Button>
          <Button size={26} onClick={() => setAsk({ what: "renew", of })}>New secret</Button>
          <Button size={26} look="danger-line" onClick={() => setAsk({ what: "remove", of })}>Delete</Button>
        </span>
      </div>
      {of.disabled_reason ? <p role="alert" className="border-b border-line bg-destroy-bg px-5 py-2 text-12 text-destroy max-sm:px-4">{of.disabled_reason} Enable it once the other side takes deliveries again; what waited for it was dropped.</p> : null}
      <FactStrip>
        <FactCell label="Address"><span className="font-mono">{of.url}</span></FactCell>
        <FactCell label="Format">{of.format === "slack" ? "Slack" : "Sluice"}</FactCell>
        <FactCell label="Told when">{of.events.join(", ")}</FactCell>
        <FactCell label="Hears of">{whereWords(of, names)}</FactCell>
        <FactCell label="Last arrived">{of.succeeded_at ? moment(of.succeeded_at, now) : "never"}</FactCell>
        <FactCell label="Made">{moment(of.created_at, now)} by {of.created_by.name}</FactCell>
      </FactStrip>
      <Deliveries notification={of} />
      <NotificationDialogs ask={ask} actions={actions} onClose={() => setAsk(null)} onRemoved={() => { setGone(true); void navigate({ to: "/settings", search: { tab: "notifications" } }); }} />
    </>
  );
}
