import { EyeOff } from "lucide-react";
import { cx } from "@/lib/cx";
import type { AttributeLine, Side } from "@/lib/diff/attributes";

const DOTS = "••••••••";
const LONG = 160;

/** One side of an attribute. A sensitive one is always eight dots: neither its length nor anything else shows. */
export function SideView({ side, ground }: { side: Side; ground: "add" | "remove" | "none" }) {
  const tint = ground === "add" ? "bg-create-bg text-create" : ground === "remove" ? "bg-destroy-bg text-destroy" : "text-ink-2";
  switch (side.kind) {
    case "none":
      return <span className="shrink-0 text-ink-3 italic">none</span>;
    case "unknown":
      return <span className="shrink-0 whitespace-nowrap text-ink italic">known after apply</span>;
    case "sensitive":
      return <span className={cx("rounded-chip px-1", tint)}><span aria-hidden>{DOTS}</span><span className="sr-only">sensitive value</span></span>;
    case "value":
      return (
        <span className={cx("min-w-0 truncate rounded-chip px-1", tint)} title={side.text.length > LONG ? side.text.slice(0, 4000) : undefined}>
          {side.text.length > LONG ? `${side.text.slice(0, LONG)}…` : side.text}
        </span>
      );
  }
}

const SIGN = { add: "+", remove: "−", change: "~", same: "" } as const;
const TONE = { add: "text-create", remove: "text-destroy", change: "text-change", same: "" } as const;

/** Sign, name, before → after, and at the right what there is to note. */
export function AttributeRow({ line, note, creating }: { line: AttributeLine; note?: { text: string; to: string } | undefined; creating: boolean }) {
  const alone = line.kind === "add" || (creating && line.before.kind === "none");
  return (
    <div
      className={cx(
        "flex min-h-5 items-center gap-3 pr-4 font-mono text-12 leading-5 max-sm:pr-3",
        line.forces ? "border-l-2 border-mark-replace bg-replace-bg pl-[34px] max-sm:pl-[14px]" : "pl-9 max-sm:pl-4",
      )}
    >
      <span className={cx("w-3 shrink-0 text-right font-semibold", TONE[line.kind])} aria-hidden>{SIGN[line.kind]}</span>
      <span className={cx("w-44 shrink-0 truncate max-sm:w-28", line.kind === "same" && "text-ink-2")} title={line.path}>{line.path}</span>
      <span className="flex min-w-0 grow items-center gap-1.5">
        {alone ? (
          <SideView side={line.after} ground={line.after.kind === "unknown" ? "none" : "add"} />
        ) : line.kind === "remove" ? (
          <SideView side={line.before} ground="remove" />
        ) : line.json ? (
          <span className="truncate font-sans text-ink-2">{jsonWords(line)}</span>
        ) : (
          <>
            <span className="flex min-w-0 shrink"><SideView side={line.before} ground={line.kind === "same" ? "none" : "remove"} /></span>
            <span className="shrink-0 text-ink-3" aria-hidden>→</span><span className="sr-only">becomes</span>
            <span className={cx("flex", line.after.kind === "value" ? "min-w-0 shrink" : "shrink-0")}><SideView side={line.after} ground={line.kind === "same" ? "none" : "add"} /></span>
          </>
        )}
      </span>
      <span className="flex shrink-0 items-center gap-1.5 font-sans text-11">
        {line.forces ? <span className="text-replace">forces replacement</span> : null}
        {line.sensitive ? <span className="flex items-center gap-1 text-ink-2 max-sm:hidden"><EyeOff size={13} aria-hidden />{line.kind === "change" ? "sensitive, changed; never shown" : "sensitive; never shown"}</span> : null}
        {note ? <a href={note.to} className="text-wait underline-offset-2 hover:underline">{note.text}</a> : null}
      </span>
    </div>
  );
}

function jsonWords(line: AttributeLine): string {
  const { added, removed } = line.json ?? { added: 0, removed: 0 };
  if (added + removed === 0) return "JSON, the same by value: only its text differs";
  const lines = (n: number, word: string) => (n > 0 ? `${n} ${n === 1 ? "line" : "lines"} ${word}` : null);
  return `JSON, compared by value: ${[lines(added, "added"), lines(removed, "removed")].filter(Boolean).join(", ")}`;
}
