import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { FilePen, Plus } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { LinkTabs } from "@/components/ui/tabs";
import { attachmentsQuery, rehearsalsQuery, setsQuery } from "@/features/policies/api/policies";
import { EXAMPLE, newDraft, useDrafts } from "@/features/policies/draft/store";
import { draftLink, policiesLink, type PoliciesSearch } from "@/features/policies/search";
import { useMay, useMe } from "@/lib/api/session";
import { useKeys } from "@/lib/keys";
import { AttachDialog } from "./attach-dialog";
import { Attachments } from "./attachments";
import { Drafts } from "./drafts";
import { Rehearsals } from "./rehearsals";
import { Sets } from "./sets";

/** What judges plans: what is attached, what could be, what is being written, and what it would have done. */
export function PoliciesView({ search }: { search: PoliciesSearch }) {
  const me = useMe();
  const may = useMay();
  const navigate = useNavigate();
  const attachments = useQuery(attachmentsQuery).data?.items;
  const sets = useQuery(setsQuery).data;
  const drafts = useDrafts(me.organization.id);
  const rehearsals = useQuery(rehearsalsQuery).data?.items;
  const [attaching, setAttaching] = useState<string | null>(null);
  const tab = search.tab ?? "attachments";
  const write = may("policies:write");
  const draft = () => void navigate(draftLink({ draft: newDraft(me.organization.id, "new-policy", { "policy.rego": EXAMPLE }).id }));
  useKeys({ n: draft });
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 items-center gap-3 px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">Policies</h1>
        <span className="truncate text-13 text-ink-3 max-md:hidden">Every plan is judged by what binds its workspace, and again before it is applied.</span>
        <span className="ml-auto flex gap-2">
          <Button icon={<FilePen size={14} />} keys="N" onClick={draft}>New draft</Button>
          <Button look="primary" icon={<Plus size={14} />} blocked={write} onClick={() => setAttaching("")}><span>Attach<span className="max-sm:sr-only"> a policy set</span></span></Button>
        </span>
      </header>
      <div className="shrink-0 border-b border-line px-5 max-sm:px-4">
        <LinkTabs
          label="Parts of policies"
          current={tab}
          items={[
            { id: "attachments", label: "Attachments", count: attachments?.length },
            { id: "sets", label: "Policy sets", count: sets?.length },
            { id: "drafts", label: "Drafts", count: drafts.length },
            { id: "rehearsals", label: "Rehearsals", count: rehearsals?.length },
          ]}
          linkFor={(next) => policiesLink(next === "attachments" ? {} : { tab: next })}
        />
      </div>
      {tab === "sets" ? <Sets chosen={search.set} onAttach={setAttaching} /> : tab === "drafts" ? <Drafts onNew={draft} /> : tab === "rehearsals" ? <Rehearsals chosen={search.rehearsal} /> : <Attachments chosen={search.attachment} onAttach={() => setAttaching("")} />}
      <AttachDialog uri={attaching} onClose={() => setAttaching(null)} />
    </main>
  );
}
