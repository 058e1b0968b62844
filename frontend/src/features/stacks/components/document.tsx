import type { SpecVersion } from "@/lib/api/types";

/** The spec as it is stored: canonical, without colours for syntax. */
export function DocumentView({ version }: { version: SpecVersion }) {
  const lines = JSON.stringify(version.document, null, 2).split("\n");
  return (
    <div className="w-max min-w-full py-2 font-mono text-12" role="group" aria-label="The spec's document">
      {lines.map((line, i) => (
        <div key={i} className="flex h-5">
          <span className="tnum w-12 shrink-0 pr-4 text-right text-11 leading-5 text-ink-3 select-none" aria-hidden>{i + 1}</span>
          <span className="pr-5 leading-5 whitespace-pre">{line}</span>
        </div>
      ))}
    </div>
  );
}
