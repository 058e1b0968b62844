import { EyeOff } from "lucide-react";
import { Empty } from "@/components/ui/bits";
import type { PlanOutput } from "@/lib/api/types";
import { attributeLine } from "@/lib/diff/attributes";
import { SideView } from "./side";

/** What the plan does to outputs: before and after. */
export function OutputChanges({ outputs }: { outputs: readonly PlanOutput[] }) {
  const changed = outputs.filter((each) => each.action !== "no-op");
  if (changed.length === 0) return <Empty title="No output changes." />;
  return (
    <div className="inset-focus overflow-auto" tabIndex={0} role="group" aria-label="Output changes">
      <table className="w-full text-12">
        <caption className="sr-only">Output changes</caption>
        <thead className="sticky top-0 bg-canvas text-left text-11 text-ink-3">
          <tr className="h-7 border-b border-line"><th className="w-60 pl-5 font-normal max-sm:w-28 max-sm:pl-4">Output</th><th className="font-normal">Before</th><th className="font-normal">After</th><th className="pr-5"><span className="sr-only">Note</span></th></tr>
        </thead>
        <tbody className="font-mono">
          {changed.map((output) => {
            const line = attributeLine({
              path: output.name, action: output.action, before: output.before, after: output.after,
              before_sensitive: output.sensitive, after_sensitive: output.sensitive, after_unknown: output.after_unknown ?? (output.after === null && output.action !== "delete" && !output.sensitive),
            });
            return (
              <tr key={output.name} className="h-8 border-b border-line">
                <td className="max-w-60 truncate pl-5 font-semibold max-sm:max-w-32 max-sm:pr-2 max-sm:pl-4" title={output.name}>{output.name}</td>
                <td className="max-w-80 truncate max-sm:max-w-36"><SideView side={line.before} ground="remove" /></td>
                <td className="max-w-80 truncate max-sm:max-w-36"><SideView side={line.after} ground="add" /></td>
                <td className="pr-5 text-right font-sans text-11 text-ink-2">{output.sensitive ? <span className="inline-flex items-center gap-1"><EyeOff size={13} aria-hidden />sensitive; never shown</span> : null}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
