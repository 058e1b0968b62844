import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ellipsis, Plus } from "lucide-react";
import { useState } from "react";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import { workspaceNamesQuery } from "@/lib/api/workspaces";
import { useNow } from "@/lib/clock";
import { notificationsQuery } from "./api";
import { type Ask, NotificationDialogs } from "./dialogs";
import { NotificationPage } from "./notification-page";
import { NotificationState, SaidLine } from "./state";
import { useNotificationActions } from "./use-notification-actions";
import { whereWords } from "./words";

/** Where Sluice tells of runs and halts; with `chosen`, one of the destinations and what was sent to it. */
export function NotificationsTab({ chosen }: { chosen: string | undefined }) {
  const why = useMay()("notifications:manage");
  if (why) return <Empty title="Destinations of notifications are not yours to see.">{why}</Empty>;
  return chosen ? <NotificationPage key={chosen} id={chosen} /> : <Destinations />;
}

function Destinations() {
  const now = useNow();
  const query = useQuery(notificationsQuery);
  const names = new Map(useQuery(workspaceNamesQuery).data?.items.map((row) => [row.id, row.name]));
  const actions = useNotificationActions();
  const [ask, setAsk] = useState<Ask | null>(null);
  if (query.isPending) return <Skeleton rows={4} />;
  if (query.error && !query.data) return <Empty title="The destinations could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  const rows = query.data.items;
  const dialogs = <NotificationDialogs ask={ask} actions={actions} onClose={() => setAsk(null)} />;
  if (rows.length === 0) {
    return (
      <>
        <Empty title="Nobody is told. People see what waits for them in the inbox.">
          <p>A destination is told when a plan waits, is blocked, applied or failed, and when somebody halts: a signed webhook, or a message in Slack.</p>
          <p className="mt-3"><Button icon={<Plus size={14} />} onClick={() => setAsk({ what: "add" })}>Add a destination</Button></p>
        </Empty>
        {dialogs}
      </>
    );
  }
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-1.5 max-sm:px-4">
        <SaidLine said={actions.said} otherwise="Told of runs and halts. Speculative runs tell nobody." />
        <Button className="ml-auto" icon={<Plus size={14} />} onClick={() => setAsk({ what: "add" })}>Add a destination</Button>
      </div>
      <Table caption="Destinations" head={<><Th>Name</Th><Th className="max-md:hidden">Address</Th><Th className="max-md:hidden">Format</Th><Th className="max-md:hidden">Told when</Th><Th className="max-md:hidden">Hears of</Th><Th>State</Th><Th><span className="sr-only">Actions</span></Th></>}>
        {rows.map((each) => (
          <Tr key={each.id}>
            <Td className="font-medium"><Link to="/settings" search={{ tab: "notifications", notification: each.id }} className="hover:underline">{each.name}</Link></Td>
            <Td className="font-mono text-12 text-ink-2 max-md:hidden">{each.url}</Td>
            <Td className="text-ink-2 max-md:hidden">{each.format === "slack" ? "Slack" : "Sluice"}</Td>
            <Td className="max-md:hidden"><span className="inline-flex gap-1 align-middle">{each.events.map((event) => <Tag key={event}>{event}</Tag>)}</span></Td>
            <Td className="max-w-64 truncate text-ink-2 max-md:hidden">{whereWords(each, names)}</Td>
            <Td className="text-12"><NotificationState notification={each} now={now} /></Td>
            <Td className="w-28 text-right">
              <span className="inline-flex items-center gap-1 align-middle">
                <Button size={24} disabled={actions.isBusy} aria-label={`Test ${each.name}`} onClick={() => actions.test(each)}>Test</Button>
                <Menu label={`Change ${each.name}`} trigger={<IconButton label={`Change ${each.name}`} className="!size-6"><Ellipsis size={14} /></IconButton>}>
                  <MenuItem onSelect={() => setAsk({ what: "change", of: each })}>Change</MenuItem>
                  <MenuItem onSelect={() => actions.change(each.id, { is_enabled: !each.is_enabled })}>{each.is_enabled ? "Disable" : "Enable"}</MenuItem>
                  <MenuItem onSelect={() => setAsk({ what: "renew", of: each })}>New signing secret</MenuItem>
                  <MenuLine />
                  <MenuItem danger onSelect={() => setAsk({ what: "remove", of: each })}>Delete</MenuItem>
                </Menu>
              </span>
            </Td>
          </Tr>
        ))}
      </Table>
      {dialogs}
    </>
  );
}
