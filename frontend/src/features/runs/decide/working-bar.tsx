import { OctagonX } from "lucide-react";
import type { ReactNode } from "react";
import { StatusText } from "@/components/domain/status";
import { Button } from "@/components/ui/button";
import type { RunListItem } from "@/lib/api/types";

/** In the decision bar's place while a run works: what Cancel would leave. */
export function WorkingBar({ shown, words, cancel, error }: { shown: RunListItem; words: ReactNode; cancel: { label: string; blocked: string | null; act: () => void } | null; error: string | null }) {
  return (
    <section aria-label="Progress" className="flex min-h-14 shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-t border-line-2 bg-raised px-5 py-2 max-sm:px-4">
      <StatusText status={shown.status} kind={shown.kind} phase={shown.phase} halted={shown.halted} />
      <p className="min-w-0 grow basis-60 text-12 text-ink-2" role="status">{error ? <span className="text-destroy">{error}</span> : words}</p>
      {cancel ? <Button size={32} look="danger-line" keys="⇧ C" icon={<OctagonX size={14} />} blocked={cancel.blocked} onClick={cancel.act}>{cancel.label}</Button> : null}
    </section>
  );
}
