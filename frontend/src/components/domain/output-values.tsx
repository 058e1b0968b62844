import { EyeOff } from "lucide-react";
import { Empty } from "@/components/ui/bits";
import type { OutputValue } from "@/lib/api/types";

/** A value as text: strings bare, all else as JSON. */
export function plainText(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "null" : JSON.stringify(value);
}

function typeWord(type: unknown): string {
  if (typeof type === "string") return type;
  return Array.isArray(type) ? String(type[0]) : "";
}

/** The outputs of a state version. Sensitive ones never leave the store. */
export function OutputValues({ outputs, empty = "This state has no outputs." }: { outputs: readonly OutputValue[]; empty?: string }) {
  if (outputs.length === 0) return <Empty title={empty}>Add an output to the configuration to see it here after the next apply.</Empty>;
  return (
    <table className="w-full table-fixed text-12">
      <caption className="sr-only">Outputs</caption>
      <thead className="text-left text-11 text-ink-3">
        <tr className="h-7 border-b border-line bg-canvas"><th className="w-[38%] max-w-64 pl-5 font-normal max-sm:pl-4">Output</th><th className="font-normal">Value</th><th className="w-20 pr-5 text-right font-normal">Type</th></tr>
      </thead>
      <tbody className="font-mono">
        {outputs.map((output) => (
          <tr key={output.name} className="min-h-8 border-b border-line align-top">
            <td className="truncate py-1.5 pl-5 font-semibold max-sm:pl-4" title={output.name}>{output.name}</td>
            <td className="py-1.5 pr-3 break-all">
              {output.sensitive ? (
                <span className="inline-flex items-center gap-1.5 text-ink-2"><span aria-hidden>••••••••</span><EyeOff size={13} aria-hidden /><span className="font-sans">sensitive; never shown</span></span>
              ) : typeof output.value === "object" && output.value !== null ? (
                <pre className="max-h-60 overflow-auto whitespace-pre-wrap" tabIndex={0}>{JSON.stringify(output.value, null, 2)}</pre>
              ) : (
                plainText(output.value)
              )}
            </td>
            <td className="py-1.5 pr-5 text-right font-sans text-ink-3">{typeWord(output.type)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
