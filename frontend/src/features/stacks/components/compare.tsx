import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ArrowRight } from "lucide-react";
import { useMemo, useState } from "react";
import { SideBySide, Unified } from "@/components/domain/diff-lines";
import { Skeleton } from "@/components/ui/bits";
import { Segmented } from "@/components/ui/tabs";
import { diffQuery } from "@/features/stacks/api/stacks";
import type { StackSearch } from "@/features/stacks/search";
import { explain } from "@/lib/api/http";
import type { SpecDiff, SpecVersion } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { diffJson, type Json } from "@/lib/diff/json";
import { plural, shortDigest } from "@/lib/format";

type Change = SpecDiff["changes"][number];

const SIGN = { add: "+", remove: "−", change: "~" } as const;
const TONE = { add: "text-create", remove: "text-destroy", change: "text-change" } as const;

function Value({ value, ground }: { value: unknown; ground: string }) {
  if (value === null || value === undefined) return <span className="text-ink-3 italic">none</span>;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return <span className={cx("inline-block max-w-full truncate rounded-chip px-1 align-bottom", ground)} title={text}>{text}</span>;
}

function FieldRow({ change }: { change: Change }) {
  return (
    <tr className="h-6">
      <td className={cx("w-8 pl-4 font-semibold", TONE[change.op])}><span aria-hidden>{SIGN[change.op]}</span><span className="sr-only">{change.op}</span></td>
      <td className="truncate pr-3" title={change.path}>{change.path}</td>
      <td className="truncate pr-3"><Value value={change.before} ground="bg-destroy-bg text-destroy" /></td>
      <td className="truncate pr-4"><Value value={change.after} ground="bg-create-bg text-create" /></td>
    </tr>
  );
}

function Pick({ label, value, versions, onPick }: { label: string; value: SpecVersion; versions: readonly SpecVersion[]; onPick: (version: string) => void }) {
  return (
    <label className="inline-flex h-7 items-center gap-2 rounded-ctl border border-line-2 pl-1.5 text-13">
      <span className="flex size-4 items-center justify-center rounded-chip bg-primary text-[10px] font-semibold text-on-primary" aria-hidden>{label}</span>
      <span className="sr-only">Version {label}</span>
      <select value={value.id} onChange={(event) => onPick(event.target.value)} className="h-full bg-surface pr-1 font-medium">
        {versions.map((version) => <option key={version.id} value={version.id}>{version.number ? `v${version.number}` : shortDigest(version.hash)}</option>)}
      </select>
    </label>
  );
}

/** Fields first, then the document, line by line. */
export function Compare({ a, b, versions, link }: { a: SpecVersion; b: SpecVersion; versions: readonly SpecVersion[]; link: (part: StackSearch) => { search: StackSearch; params: { id: string } } }) {
  const navigate = useNavigate();
  const [way, setWay] = useState<"split" | "unified">("split");
  const diff = useQuery(diffQuery(a.id, b.id));
  const lines = useMemo(() => diffJson(a.document as Json, b.document as Json), [a, b]);
  const go = (part: StackSearch) => void navigate({ to: "/infra/terraform/stacks/$id", ...link(part) });
  const numbered = (id: string) => {
    const version = versions.find((each) => each.id === id);
    return String(version?.number ?? id);
  };
  return (
    <>
      <div className="flex min-h-10 flex-wrap items-center gap-2 border-b border-line px-4 py-1.5">
        <Pick label="A" value={a} versions={versions} onPick={(id) => go({ a: numbered(id) })} />
        <ArrowRight size={14} className="text-ink-3" aria-hidden />
        <Pick label="B" value={b} versions={versions} onPick={(id) => go({ b: numbered(id) })} />
        <span role="status" className="ml-2 text-12 text-ink-2">{diff.data ? plural(diff.data.changes.length, "field") : ""}, <span className="text-create">+{lines.added}</span> <span className="text-destroy">−{lines.removed}</span></span>
        <Segmented className="ml-auto" label="Layout" value={way} onChange={setWay} options={[{ value: "split", label: "Side by side" }, { value: "unified", label: "Unified" }]} />
      </div>
      <h2 className="flex h-8 items-center gap-2 border-b border-line bg-canvas px-4 text-12 font-semibold">Fields <span className="font-normal text-ink-2">{diff.data ? `${diff.data.changes.length} differ` : ""}</span></h2>
      {diff.error ? <p role="alert" className="px-4 py-2 text-destroy">{explain(diff.error)}</p> : null}
      {diff.isPending ? <Skeleton rows={4} height={24} /> : null}
      {diff.data?.changes.length === 0 ? <p className="px-4 py-2 text-ink-2">Both say the same.</p> : null}
      {diff.data && diff.data.changes.length > 0 ? (
        <table className="my-1 w-full table-fixed font-mono text-12">
          <caption className="sr-only">Fields that differ</caption>
          <thead className="text-left font-sans text-11 text-ink-3">
            <tr className="h-6"><th className="w-8"><span className="sr-only">Change</span></th><th className="w-[34%] font-normal">Field</th><th className="font-normal">{a.number ? `v${a.number}` : "A"}</th><th className="font-normal">{b.number ? `v${b.number}` : "B"}</th></tr>
          </thead>
          <tbody>{diff.data.changes.map((change) => <FieldRow key={change.path} change={change} />)}</tbody>
        </table>
      ) : null}
      <h2 className="flex h-8 items-center justify-between border-y border-line bg-canvas px-4 text-12 font-semibold">Document <span className="font-mono font-normal"><span className="text-create">+{lines.added}</span> <span className="text-destroy">−{lines.removed}</span></span></h2>
      {way === "split" ? <SideBySide lines={lines.lines} /> : <Unified lines={lines.lines} />}
    </>
  );
}
