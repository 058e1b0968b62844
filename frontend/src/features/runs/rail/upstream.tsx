import { Link } from "@tanstack/react-router";
import { SectionHead } from "@/components/ui/bits";
import type { Run } from "@/lib/api/types";
import { plural } from "@/lib/format";

/** Which outputs of other workspaces the plan was made from, and of which versions; never their values. */
export function Upstream({ run }: { run: Run }) {
  const read = run.upstream_outputs;
  if (read.length === 0) return null;
  return (
    <section aria-labelledby="rail-upstream" className="border-b border-line px-4 py-3">
      <SectionHead id="rail-upstream" title="Read from other workspaces" aside={plural(read.length, "output")} />
      <ul>
        {read.map((each) => (
          <li key={each.input} className="flex min-w-0 items-center gap-2 text-12 leading-5">
            <code className="min-w-0 shrink truncate font-semibold" title={each.input}>{each.input}</code>
            <span className="min-w-0 truncate text-ink-2">from <Link to="/infra/terraform/workspaces/$id" params={{ id: each.workspace_id }} search={{ tab: "outputs" }} className="link">{each.workspace}</Link>.{each.output}{each.sensitive ? ", sensitive" : ""}</span>
            <span className="ml-auto shrink-0 text-ink-3">version {each.number}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
