import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Ellipsis, Upload } from "lucide-react";
import { useMemo, useState } from "react";
import { Empty } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { LinkTabs } from "@/components/ui/tabs";
import { plannedRunsQuery, uploadBundle } from "@/features/policies/api/policies";
import type { DraftProblem } from "@/lib/api/types";
import { AttachDialog } from "@/features/policies/components/attach-dialog";
import { Code } from "@/features/policies/editor/code";
import { RehearsalForm } from "@/features/policies/rehearsal/form";
import { RehearsalReport } from "@/features/policies/rehearsal/report";
import { draftLink, type DraftSearch, policiesLink } from "@/features/policies/search";
import { explain } from "@/lib/api/http";
import { useMay, useMe } from "@/lib/api/session";
import { now } from "@/lib/clock";
import { FileTabs } from "./files";
import { Playground } from "./playground";
import { bodyOf, DATA, deleteDraft, type Draft, newDraft, saveDraft, useDrafts } from "./store";
import { tar } from "./tar";
import { marksOf, useEvaluation, wrongByFile } from "./use-evaluation";
import { setName } from "@/lib/policy-words";

/** A policy set being written, beside what it says of one plan, or of many of the past. */
export function DraftView({ search }: { search: DraftSearch }) {
  const me = useMe();
  const drafts = useDrafts(me.organization.id);
  const draft = search.draft ? drafts.find((each) => each.id === search.draft) : drafts[0];
  if (!draft) {
    return (
      <main className="grow">
        <Empty title={<h1>{search.draft ? "This draft is not in this browser." : "No draft."}</h1>}>
          <p>Drafts are kept in the browser in which they were written. <Link {...policiesLink({ tab: "drafts" })} className="link">See the drafts here</Link>, or begin with a copy of <Link {...policiesLink({ tab: "sets" })} className="link">a policy set</Link>.</p>
        </Empty>
      </main>
    );
  }
  return <Workbench key={draft.id} draft={draft} search={search} />;
}

const NONE: readonly DraftProblem[] = [];

function Workbench({ draft, search }: { draft: Draft; search: DraftSearch }) {
  const me = useMe();
  const navigate = useNavigate();
  const runs = useQuery(plannedRunsQuery).data ?? [];
  const run = search.run ?? runs[0]?.id;
  const side = search.side === "rehearse" ? "rehearse" : "try";
  const names = Object.keys(draft.files).sort((a, b) => (a === DATA ? 1 : b === DATA ? -1 : a.localeCompare(b)));
  const [asked, setAsked] = useState("policy.rego");
  const file = names.includes(asked) ? asked : (names[0] ?? "");
  const [goto, setGoto] = useState<{ line: number } | null>(null);
  const [full, setFull] = useState<string | null>(null);
  const { evaluation, error, stale } = useEvaluation(draft, run, true);
  const problems = evaluation?.problems ?? NONE;
  const marks = useMemo(() => marksOf(problems, file), [problems, file]);
  const go = (next: DraftSearch) => void navigate({ ...draftLink({ ...search, draft: draft.id, ...next }), replace: true });
  const save = (next: Partial<Draft>) => {
    try {
      saveDraft(me.organization.id, { ...draft, ...next, changed_at: new Date(now()).toISOString() });
      setFull(null);
    } catch {
      setFull("The browser's storage is full: what you type now is not kept. Delete other drafts, or upload this one.");
    }
  };
  return (
    <main className="flex min-h-0 grow flex-col">
      <Head draft={draft} broken={problems.length > 0} onRename={(name) => save({ name })} />
      {full ? <p role="alert" className="border-b border-line bg-destroy-bg px-5 py-1.5 text-12 text-destroy">{full}</p> : null}
      <div className="flex min-h-0 grow max-md:flex-col max-md:overflow-auto">
        <section aria-label="Editor" className="flex min-w-0 flex-[1.15] flex-col max-md:min-h-[52vh] max-md:flex-none">
          <FileTabs
            names={names}
            current={file}
            wrong={wrongByFile(problems)}
            onOpen={(name) => { setGoto(null); setAsked(name); }}
            onAdd={(name) => { save({ files: { ...draft.files, [name]: name === DATA ? "{}\n" : `package draft.${name.replace(/\.rego$/, "").replaceAll(/\W+/g, "_")}\n` } }); setAsked(name); }}
            onRemove={(name) => save({ files: Object.fromEntries(Object.entries(draft.files).filter(([each]) => each !== name)) })}
          />
          <div className="min-h-0 grow max-md:h-[48vh] max-md:flex-none">
            <Code key={`${draft.id} ${file}`} value={draft.files[file] ?? ""} language={file.endsWith(".json") ? "json" : "rego"} label={`${file}, editor. Escape, then Tab, leaves it`} marks={marks} goto={goto} onChange={(text) => save({ files: { ...draft.files, [file]: text } })} />
          </div>
          <p className="shrink-0 truncate border-t border-line px-4 py-1.5 text-11 text-ink-3">Kept in this browser. Tests, <code>print</code> and builtins that reach out are no part of a policy set.</p>
        </section>
        <aside aria-label="What the draft says" className="flex min-w-0 flex-1 flex-col border-l border-line max-md:min-h-[70vh] max-md:flex-none max-md:border-t max-md:border-l-0">
          <div className="shrink-0 border-b border-line px-4"><LinkTabs label="Judge the draft" current={side} items={[{ id: "try", label: "Try on a plan" }, { id: "rehearse", label: "Rehearse over past plans" }]} linkFor={(next) => ({ ...draftLink({ ...search, draft: draft.id, side: next }), replace: true })} className="!h-9" /></div>
          {side === "try" ? (
            <Playground
              runs={runs}
              run={run}
              onRun={(id) => go({ run: id })}
              evaluation={evaluation}
              error={error}
              stale={stale}
              onProblem={(problem) => {
                if (problem.file) setAsked(problem.file);
                setGoto({ line: problem.line ?? 1 });
              }}
            />
          ) : (
            <>
              <div className="shrink-0 border-b border-line">
                <RehearsalForm what={{ draft: bodyOf(draft) }} onStarted={(id) => go({ rehearsal: id })} />
              </div>
              {search.rehearsal ? <RehearsalReport key={search.rehearsal} id={search.rehearsal} /> : <Empty title="Nothing was rehearsed yet.">The draft is evaluated over plans that were kept, and over what they saw then. No run is touched, and nothing is attached.</Empty>}
            </>
          )}
        </aside>
      </div>
    </main>
  );
}

function Head({ draft, broken, onRename }: { draft: Draft; broken: boolean; onRename: (name: string) => void }) {
  const me = useMe();
  const navigate = useNavigate();
  const write = useMay()("policies:write");
  const [uri, setUri] = useState<string | null>(null);
  const upload = useMutation({ mutationFn: () => uploadBundle(draft.name.trim().slice(0, 100) || "policy", new Blob([tar(draft.files)])), onSuccess: (set) => setUri(set.uri) });
  return (
    <header className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-5 py-1.5 max-sm:px-4">
      <h1 className="sr-only">Draft {draft.name}</h1>
      <input aria-label="The draft's name" value={draft.name} onChange={(event) => onRename(event.target.value)} className="h-8 w-56 min-w-0 rounded-ctl border border-transparent bg-transparent px-1.5 text-16 font-semibold outline-none hover:border-line-2 focus:border-focus" />
      <span className="truncate text-12 text-ink-3 max-md:hidden">draft{draft.from ? <>, copied from <code>{setName(draft.from)}</code></> : ""}</span>
      {upload.error ? <p role="alert" className="min-w-0 text-12 text-destroy">{explain(upload.error)}</p> : null}
      <span className="ml-auto flex items-center gap-2">
        <Button icon={<Upload size={14} />} look="primary" blocked={write ?? (broken ? "Mend what is wrong first" : null)} disabled={upload.isPending} onClick={() => upload.mutate()}>Upload and attach</Button>
        <Menu label="More" trigger={<IconButton label="More"><Ellipsis size={16} /></IconButton>}>
          <MenuItem onSelect={() => void navigate(draftLink({ draft: newDraft(me.organization.id, `${draft.name}-copy`, draft.files, draft.from).id }))}>Copy the draft</MenuItem>
          <MenuItem onSelect={() => void navigate(policiesLink({ tab: "drafts" }))}>All drafts</MenuItem>
          <MenuLine />
          <MenuItem danger onSelect={() => { deleteDraft(me.organization.id, draft.id); void navigate(policiesLink({ tab: "drafts" })); }}>Delete the draft</MenuItem>
        </Menu>
      </span>
      <AttachDialog uri={uri} onClose={() => setUri(null)} onAttached={() => void navigate(policiesLink({}))} />
    </header>
  );
}
