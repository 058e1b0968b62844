import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowUpCircle, Check, Ellipsis, RefreshCw } from "lucide-react";
import { useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { attachmentsQuery, LEVELS, setsQuery } from "@/features/policies/api/policies";
import { bound, sourceKind, standing, type Standing } from "@/features/policies/api/words";
import { policiesLink } from "@/features/policies/search";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import type { PolicyAttachment, PolicySet } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { moment, shortDigest } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { AttachmentPane } from "./attachment-pane";
import { DetachDialog, SyncDialog } from "./change-dialogs";
import { LevelText } from "./level";
import { setName } from "@/lib/policy-words";

const NONE: readonly PolicySet[] = [];

/** What binds: one row an attachment, what blocks first. Beside it the text that it is pinned to. */
export function Attachments({ chosen, onAttach }: { chosen: string | undefined; onAttach: () => void }) {
  const query = useQuery(attachmentsQuery);
  const sets = useQuery(setsQuery).data ?? NONE;
  const write = useMay()("policies:write");
  const navigate = useNavigate();
  const [syncing, setSyncing] = useState<PolicyAttachment | null>(null);
  const [detaching, setDetaching] = useState<PolicyAttachment | null>(null);
  const rows = [...(query.data?.items ?? [])].sort((a, b) => LEVELS.indexOf(a.enforcement_level) - LEVELS.indexOf(b.enforcement_level) || setName(a.policy_set_uri).localeCompare(setName(b.policy_set_uri)));
  const at = rows.findIndex((row) => row.id === chosen);
  const open = rows[at];
  const go = (row: PolicyAttachment | undefined) => void navigate({ ...policiesLink(row ? { attachment: row.id } : {}), replace: true });
  useKeys({
    j: () => go(rows[Math.min(at + 1, rows.length - 1)]),
    k: () => go(rows[Math.max(at - 1, 0)]),
    escape: open ? () => go(undefined) : undefined,
  });
  if (query.isPending) return <Skeleton rows={6} />;
  if (query.error && !query.data) return <Empty title="The policy attachments could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  if (rows.length === 0) {
    return (
      <Empty title="No policy set is attached. Plans wait for approval without being judged.">
        <p>An attachment binds a policy set to a workspace, to a tag, or to the whole organization, at a level of its own. Ten sets come with Sluice.</p>
        <p className="mt-3 flex gap-2"><Button icon={<Check size={14} />} blocked={write} onClick={onAttach}>Attach a policy set</Button><Link {...policiesLink({ tab: "sets" })} className="link self-center">Read the sets</Link></p>
      </Empty>
    );
  }
  return (
    <div className="flex min-h-0 grow">
      <div className={cx("min-w-0 grow overflow-auto", open && "max-md:hidden")}>
        <Table caption="Policy attachments" head={<><Th>Policy set</Th><Th>Level</Th><Th>Binds</Th>{open ? null : <Th className="max-lg:hidden">Pinned to</Th>}<Th className={open ? "max-xl:hidden" : ""}>Synced</Th><Th><span className="sr-only">Actions</span></Th></>}>
          {rows.map((row) => (
            <Row key={row.id} row={row} stands={standing(row, sets)} open={row === open} narrow={open !== undefined} write={write} onSync={() => setSyncing(row)} onDetach={() => setDetaching(row)} />
          ))}
        </Table>
      </div>
      {open ? <AttachmentPane key={open.id} attachment={open} stands={standing(open, sets)} write={write} onSync={() => setSyncing(open)} onDetach={() => setDetaching(open)} /> : null}
      <SyncDialog attachment={syncing} onClose={() => setSyncing(null)} />
      <DetachDialog attachment={detaching} onClose={() => setDetaching(null)} onDetached={() => { setDetaching(null); go(undefined); }} />
    </div>
  );
}

function Row({ row, stands, open, narrow, write, onSync, onDetach }: { row: PolicyAttachment; stands: Standing; open: boolean; narrow: boolean; write: string | null; onSync: () => void; onDetach: () => void }) {
  const now = useNow();
  const kind = sourceKind(row.policy_set_uri);
  return (
    <Tr className={cx("group", open && "bg-selected")} aria-current={open ? "true" : undefined}>
      <Td className="max-w-0 min-w-44 truncate">
        <Link {...policiesLink({ attachment: row.id })} replace className="font-mono text-12 font-medium hover:underline" title={row.policy_set_uri}>{setName(row.policy_set_uri)}</Link>
        {kind === "shipped" ? null : <span className="ml-2 text-12 text-ink-3">{kind}</span>}
      </Td>
      <Td className="w-36"><LevelText level={row.enforcement_level} />{row.waives_unevaluable ? <span className="ml-1 text-12 text-ink-3" title="Lets pass what can't be evaluated">waives</span> : null}</Td>
      <Td className="max-w-56 truncate text-ink-2">{bound(row)}</Td>
      {narrow ? null : <Td className="w-32 font-mono text-12 text-ink-3 max-lg:hidden" title={row.bundle_digest}>{shortDigest(row.bundle_digest)}</Td>}
      <Td className={cx("w-44 text-12 text-ink-3", narrow && "max-xl:hidden")}>
        {stands.state === "newer" ? <span className="inline-flex items-center gap-1 text-wait"><ArrowUpCircle size={13} aria-hidden />newer available</span> : stands.state === "gone" ? <span className="text-wait">no longer on the server</span> : <>{moment(row.synced_at, now)}{stands.state === "newest" ? <span className="text-create">, newest</span> : null}</>}
      </Td>
      <Td className="w-28 text-right">
        <span className="inline-flex items-center gap-1">
          {stands.state === "newer" ? <Button size={24} blocked={write} onClick={onSync}>Sync</Button> : null}
          <Menu label={`Change ${setName(row.policy_set_uri)}`} trigger={<IconButton label={`Change ${setName(row.policy_set_uri)} on ${bound(row)}`} className="!size-6"><Ellipsis size={14} /></IconButton>}>
            <MenuItem icon={<RefreshCw size={14} />} disabled={write !== null || stands.state === "fixed"} onSelect={onSync}>{stands.state === "fixed" ? "An upload never moves" : "Sync"}</MenuItem>
            <MenuLine />
            <MenuItem danger={write === null} disabled={write !== null} onSelect={onDetach}>Detach</MenuItem>
          </Menu>
        </span>
      </Td>
    </Tr>
  );
}
