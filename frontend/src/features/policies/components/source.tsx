import { useState } from "react";
import { Segmented } from "@/components/ui/tabs";
import { Code } from "@/features/policies/editor/code";
import type { PolicySource } from "@/lib/api/types";
import { DATA } from "@/features/policies/draft/store";

/** The files of a source as a draft holds them. */
export function filesOf(source: PolicySource): Record<string, string> {
  return source.data === null ? source.files : { ...source.files, [DATA]: source.data };
}

/** A policy set's text, a file at a time. */
export function SourceView({ source }: { source: PolicySource }) {
  const files = filesOf(source);
  const names = Object.keys(files).sort();
  const [asked, setAsked] = useState("policy.rego");
  const name = names.includes(asked) ? asked : (names[0] ?? "");
  return (
    <div className="flex min-h-0 grow flex-col">
      <div className="flex min-h-9 shrink-0 items-center overflow-x-auto border-b border-line px-3">
        {names.length > 1 ? <Segmented label="File" value={name} onChange={setAsked} options={names.map((each) => ({ value: each, label: <span className="font-mono">{each}</span> }))} /> : <span className="font-mono text-12 text-ink-2">{name}</span>}
      </div>
      <div className="min-h-0 grow"><Code key={`${source.bundle_digest} ${name}`} value={files[name] ?? ""} language={name.endsWith(".json") ? "json" : "rego"} label={`${name}, read only`} /></div>
    </div>
  );
}
