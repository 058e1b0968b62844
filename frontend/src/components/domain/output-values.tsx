import { Eye, EyeOff } from "lucide-react";
import { useState } from "react";
import { Empty } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { explain } from "@/lib/api/http";
import type { OutputValue } from "@/lib/api/types";

/** A value as text: strings bare, all else as JSON. */
export function plainText(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "null" : JSON.stringify(value);
}

function typeWord(type: unknown): string {
  if (typeof type === "string") return type;
  return Array.isArray(type) ? String(type[0]) : "";
}

export interface Reveal {
  /** Why a person may not; null when they may. */
  blocked: string | null;
  read: (name: string) => Promise<unknown>;
}

/** The outputs of a state version. A sensitive one stays hidden unless a person who may asks for it by name. */
export function OutputValues({ outputs, empty = "This state has no outputs.", reveal }: { outputs: readonly OutputValue[]; empty?: string; reveal?: Reveal }) {
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
            <td className="py-1.5 pr-3 break-all">{output.sensitive ? <Hidden name={output.name} reveal={reveal} /> : <Plain value={output.value} />}</td>
            <td className="py-1.5 pr-5 text-right font-sans text-ink-3">{typeWord(output.type)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Plain({ value }: { value: unknown }) {
  if (typeof value !== "object" || value === null) return plainText(value);
  return <pre className="max-h-60 overflow-auto whitespace-pre-wrap" tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>;
}

function Hidden({ name, reveal }: { name: string; reveal: Reveal | undefined }) {
  const [shown, setShown] = useState<{ value: unknown } | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const read = async (from: Reveal) => {
    setBusy(true);
    setError(null);
    try {
      setShown({ value: await from.read(name) });
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };
  if (shown) {
    return (
      <span className="flex items-start gap-2">
        <span className="min-w-0 rounded-chip bg-wait-bg px-1"><Plain value={shown.value} /></span>
        <Button size={24} look="ghost" className="-my-1 font-sans" icon={<EyeOff size={13} />} aria-label={`Hide ${name}`} onClick={() => setShown(null)}>Hide</Button>
      </span>
    );
  }
  return (
    <span className="flex flex-wrap items-center gap-x-2 gap-y-1 text-ink-2">
      <span aria-hidden>••••••••</span>
      <span className="inline-flex items-center gap-1.5 font-sans"><EyeOff size={13} aria-hidden />{reveal ? "sensitive" : "sensitive; never shown here"}</span>
      {reveal ? (
        <>
          <Button size={24} look="ghost" className="-my-1 font-sans" icon={<Eye size={13} />} blocked={reveal.blocked} disabled={busy} aria-label={`Reveal ${name}; the reading is audited`} onClick={() => void read(reveal)}>Reveal</Button>
          <span className="font-sans text-ink-3 max-sm:hidden">{reveal.blocked ? null : "is audited, with your name"}</span>
        </>
      ) : null}
      {error ? <span role="alert" className="font-sans text-destroy">{error}</span> : null}
    </span>
  );
}
