import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, FilePen, TriangleAlert } from "lucide-react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { attachmentsQuery, setSourceQuery, setsQuery } from "@/features/policies/api/policies";
import { sourceKind } from "@/features/policies/api/words";
import { newDraft } from "@/features/policies/draft/store";
import { draftLink, policiesLink } from "@/features/policies/search";
import { explain } from "@/lib/api/http";
import { useMay, useMe } from "@/lib/api/session";
import type { PolicySet } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { plural, shortDigest } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { filesOf, SourceView } from "./source";
import { setName } from "@/lib/policy-words";

/** Every set that can be attached, and its text. */
export function Sets({ chosen, onAttach }: { chosen: string | undefined; onAttach: (uri: string) => void }) {
  const query = useQuery(setsQuery);
  const attachments = useQuery(attachmentsQuery).data?.items ?? [];
  const navigate = useNavigate();
  const sets = query.data ?? [];
  const at = Math.max(0, sets.findIndex((set) => set.uri === chosen));
  const open = sets[at];
  const go = (set: PolicySet | undefined) => { if (set) void navigate({ ...policiesLink({ tab: "sets", set: set.uri }), replace: true }); };
  useKeys({ j: () => go(sets[Math.min(at + 1, sets.length - 1)]), k: () => go(sets[Math.max(at - 1, 0)]) });
  if (query.isPending) return <Skeleton rows={8} height={48} />;
  if (query.error && !query.data) return <Empty title="The policy sets could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  if (!open) return <Empty title="No policy set lies on the server.">Put one under <code>policies/</code>, upload a draft, or attach one by its git address.</Empty>;
  return (
    <div className="flex min-h-0 grow">
      <nav aria-label="Policy sets" className={cx("w-[300px] shrink-0 overflow-auto border-r border-line max-md:w-full max-md:border-r-0", chosen && "max-md:hidden")}>
        <ul>
          {sets.map((set) => {
            const count = attachments.filter((each) => each.policy_set_uri === set.uri).length;
            return (
              <li key={set.uri}>
                <Link {...policiesLink({ tab: "sets", set: set.uri })} replace aria-current={set === open ? "true" : undefined} className={cx("inset-focus flex min-h-12 flex-col justify-center border-b border-line px-4 py-1", set === open ? "bg-selected max-md:bg-surface" : "hover:bg-hover")}>
                  <span className="flex items-center gap-2 text-13 font-medium"><span className="truncate">{set.title}</span>{set.error ? <TriangleAlert size={13} className="shrink-0 text-destroy" aria-label="broken" /> : null}</span>
                  <span className="flex justify-between gap-2 text-12 text-ink-3"><span className="truncate font-mono text-11">{setName(set.uri)}</span><span className="shrink-0">{count > 0 ? plural(count, "attachment") : sourceKind(set.uri) === "uploaded" ? "uploaded" : ""}</span></span>
                </Link>
              </li>
            );
          })}
        </ul>
      </nav>
      <SetPane key={open.uri} set={open} hidden={!chosen} onAttach={() => onAttach(open.uri)} />
    </div>
  );
}

function SetPane({ set, hidden, onAttach }: { set: PolicySet; hidden: boolean; onAttach: () => void }) {
  const me = useMe();
  const navigate = useNavigate();
  const write = useMay()("policies:write");
  const source = useQuery(setSourceQuery(set.uri));
  return (
    <section aria-label={set.title} className={cx("flex min-w-0 grow flex-col", hidden && "max-md:hidden")}>
      <div className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-1.5">
        <Link {...policiesLink({ tab: "sets" })} replace className="hidden text-ink-2 max-md:block" aria-label="Back to the policy sets"><ChevronLeft size={16} /></Link>
        <h2 className="text-13 font-semibold">{set.title}</h2>
        <span className="min-w-0 truncate text-12 text-ink-3">{set.packages.map((name) => <code key={name} className="mr-2">{name}</code>)}{set.bundle_digest ? <code title={set.bundle_digest}>{shortDigest(set.bundle_digest)}</code> : null}</span>
        <span className="ml-auto flex gap-2">
          <Button size={26} icon={<FilePen size={13} />} disabled={!source.data} onClick={() => { if (source.data) void navigate(draftLink({ draft: newDraft(me.organization.id, setName(set.uri).replaceAll(/[^\w.-]+/g, "-"), filesOf(source.data), set.uri).id })); }}>Edit a copy</Button>
          <Button size={26} look="primary" blocked={write ?? (set.error ? "The set is broken" : null)} onClick={onAttach}>Attach</Button>
        </span>
      </div>
      {set.error ? <p role="alert" className="border-b border-line bg-destroy-bg px-4 py-2 text-12 text-destroy">{set.error}</p> : null}
      {source.isPending ? <Skeleton rows={12} height={20} /> : null}
      {source.error ? <Empty title="Its text could not be read."><p role="alert">{explain(source.error)}</p></Empty> : null}
      {source.data ? <SourceView source={source.data} /> : null}
    </section>
  );
}
