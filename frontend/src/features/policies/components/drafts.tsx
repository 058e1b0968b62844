import { Link } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Empty } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { deleteDraft, type Draft, useDrafts } from "@/features/policies/draft/store";
import { draftLink } from "@/features/policies/search";
import { useMe } from "@/lib/api/session";
import { useNow } from "@/lib/clock";
import { moment, plural } from "@/lib/format";
import { setName } from "@/lib/policy-words";

/** What is being written in this browser. */
export function Drafts({ onNew }: { onNew: () => void }) {
  const me = useMe();
  const now = useNow();
  const drafts = useDrafts(me.organization.id);
  const [ending, setEnding] = useState<Draft | null>(null);
  if (drafts.length === 0) {
    return (
      <Empty title="No draft.">
        <p>A draft is a policy set that you write here: try it on a plan, rehearse it over past plans, then upload and attach it. It is kept in this browser.</p>
        <Button className="mt-3" onClick={onNew}>New draft</Button>
      </Empty>
    );
  }
  return (
    <div className="min-h-0 grow overflow-auto">
      <Table caption="Drafts" head={<><Th>Draft</Th><Th>Files</Th><Th className="max-md:hidden">Copied from</Th><Th className="text-right">Changed</Th><Th><span className="sr-only">Actions</span></Th></>}>
        {drafts.map((draft) => (
          <Tr key={draft.id}>
            <Td><Link {...draftLink({ draft: draft.id })} className="font-medium hover:underline">{draft.name}</Link></Td>
            <Td className="text-ink-2">{plural(Object.keys(draft.files).length, "file")}</Td>
            <Td className="font-mono text-12 text-ink-3 max-md:hidden">{draft.from ? setName(draft.from) : ""}</Td>
            <Td className="text-right text-12 text-ink-3">{moment(draft.changed_at, now)}</Td>
            <Td className="w-12 text-right"><IconButton label={`Delete ${draft.name}`} className="!size-6" onClick={() => setEnding(draft)}><Trash2 size={14} /></IconButton></Td>
          </Tr>
        ))}
      </Table>
      <p className="px-5 py-3 text-12 text-ink-3">Drafts are kept in this browser alone, until they are uploaded.</p>
      <Dialog
        open={ending !== null}
        onOpenChange={(open) => { if (!open) setEnding(null); }}
        title={`Delete ${ending?.name ?? ""}`}
        description="Its text is gone from this browser. It can't be taken back."
        footer={<><Button look="ghost" size={32} keys="Esc" onClick={() => setEnding(null)}>Keep it</Button><Button look="danger" size={32} onClick={() => { if (ending) deleteDraft(me.organization.id, ending.id); setEnding(null); }}>Delete</Button></>}
      >
        <div className="h-3" />
      </Dialog>
    </div>
  );
}
