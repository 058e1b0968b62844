import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowUpCircle, ChevronLeft, FilePen, X } from "lucide-react";
import { Empty, Fact, Skeleton } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { pinnedSourceQuery } from "@/features/policies/api/policies";
import { bound, sourceKind, type Standing } from "@/features/policies/api/words";
import { newDraft } from "@/features/policies/draft/store";
import { draftLink, policiesLink } from "@/features/policies/search";
import { explain } from "@/lib/api/http";
import { useMe } from "@/lib/api/session";
import type { PolicyAttachment } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortDigest } from "@/lib/format";
import { LevelText } from "./level";
import { filesOf, SourceView } from "./source";
import { setName } from "@/lib/policy-words";

interface PaneProps {
  attachment: PolicyAttachment;
  stands: Standing;
  write: string | null;
  onSync: () => void;
  onDetach: () => void;
}

/** One attachment: what it binds, since when, and the very text that judges. */
export function AttachmentPane({ attachment, stands, write, onSync, onDetach }: PaneProps) {
  const now = useNow();
  const me = useMe();
  const navigate = useNavigate();
  const source = useQuery(pinnedSourceQuery(attachment));
  const name = setName(attachment.policy_set_uri);
  const edit = () => {
    if (source.data) void navigate(draftLink({ draft: newDraft(me.organization.id, name.replaceAll(/[^\w.-]+/g, "-"), filesOf(source.data), attachment.policy_set_uri).id }));
  };
  return (
    <aside aria-label={`Attachment of ${name}`} className="flex w-[46%] max-w-[760px] min-w-[420px] shrink-0 flex-col border-l border-line max-md:w-full max-md:min-w-0 max-md:border-l-0">
      <div className="flex min-h-[38px] shrink-0 items-center gap-2 border-b border-line pr-2 pl-4">
        <Link {...policiesLink({})} replace className="hidden items-center text-ink-2 max-md:flex" aria-label="Back to the attachments"><ChevronLeft size={16} /></Link>
        <h2 className="min-w-0 truncate font-mono text-13 font-semibold" title={attachment.policy_set_uri}>{name}</h2>
        <span className="ml-auto flex shrink-0 items-center gap-1.5">
          <Button size={24} icon={<FilePen size={13} />} disabled={!source.data} onClick={edit}>Edit a copy</Button>
          {stands.state === "fixed" ? null : <Button size={24} blocked={write} onClick={onSync}>Sync</Button>}
          <Button size={24} look="danger-line" blocked={write} onClick={onDetach}>Detach</Button>
          <IconButton label="Close" className="max-md:hidden" onClick={() => void navigate({ ...policiesLink({}), replace: true })}><X size={15} /></IconButton>
        </span>
      </div>
      {stands.state === "newer" ? (
        <p className="flex items-center gap-2 border-b border-line bg-wait-bg px-4 py-1.5 text-12">
          <ArrowUpCircle size={14} className="shrink-0 text-wait" aria-hidden />The set on the server is another one than this: <span className="font-mono">{shortDigest(stands.newest ?? "")}</span>. Sync shows what changes.
        </p>
      ) : stands.state === "gone" ? <p className="border-b border-line bg-wait-bg px-4 py-1.5 text-12">The set is no longer on the server, or is broken there. Plans are judged by the text below all the same.</p> : null}
      <dl className="grid shrink-0 grid-cols-2 gap-x-4 border-b border-line px-4 py-2 max-sm:grid-cols-1">
        <Fact label="Level"><LevelText level={attachment.enforcement_level} /></Fact>
        <Fact label="Binds">{bound(attachment)}</Fact>
        <Fact label="Pinned to"><span className="font-mono" title={attachment.bundle_digest}>{shortDigest(attachment.bundle_digest)}</span></Fact>
        <Fact label="Synced">{moment(attachment.synced_at, now)}</Fact>
        <Fact label="Attached by">{attachment.created_by.name}, {moment(attachment.created_at, now)}</Fact>
        <Fact label="From"><span title={attachment.policy_set_uri}>{sourceKind(attachment.policy_set_uri) === "shipped" ? "the server's policies" : attachment.policy_set_uri}</span></Fact>
      </dl>
      {source.isPending ? <Skeleton rows={10} height={20} /> : null}
      {source.error ? <Empty title="Its text could not be read."><p role="alert">{explain(source.error)}</p></Empty> : null}
      {source.data ? <SourceView source={source.data} /> : null}
    </aside>
  );
}
