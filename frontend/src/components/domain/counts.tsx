import { cx } from "@/lib/cx";
import { type Action, actionLook, type ActionTone, countParts, type Counts, type Wording } from "@/lib/actions";
import { plural } from "@/lib/format";
import { useWording } from "./wording";

export const ACTION_TEXT: Record<ActionTone, string> = {
  create: "text-create",
  change: "text-change",
  replace: "text-replace",
  destroy: "text-destroy",
  read: "text-read",
};
const ACTION_GROUND: Record<ActionTone, string> = {
  create: "bg-create-bg",
  change: "bg-change-bg",
  replace: "bg-replace-bg",
  destroy: "bg-destroy-bg",
  read: "bg-read-bg",
};

/** `+3 ~4 −/+2 −2`: one line, zeros left out, said in words to a screen reader. */
export function CountLine({ counts, none = "none", className, wording: own }: { counts: Counts | null; none?: string; className?: string; wording?: Wording }) {
  const around = useWording();
  const wording = own ?? around;
  if (!counts) return <span className={cx("text-ink-3", className)}>not known yet</span>;
  const parts = countParts(counts, wording);
  if (parts.length === 0) return <span className={cx("text-ink-3", className)}>{none}</span>;
  return (
    <span className={cx("inline-flex gap-2 font-mono text-12", className)}>
      {parts.map((part) => (
        <span key={part.key} className={ACTION_TEXT[part.tone]}>
          <span aria-hidden>{part.sign}{part.n}</span>
          <span className="sr-only">{`${plural(part.n, "resource")} to ${part.word}`}</span>
        </span>
      ))}
    </span>
  );
}

/** The counts of a header: large, replace and destroy on their grounds. */
export function CountBoxes({ counts, compact = false }: { counts: Counts; compact?: boolean }) {
  const parts = countParts(counts, useWording());
  return (
    <div className="flex shrink-0">
      {parts.map((part) => {
        const hot = part.tone === "replace" || part.tone === "destroy";
        return (
          <div
            key={part.key}
            className={cx(
              "flex items-center justify-center border-r border-line whitespace-nowrap",
              compact ? "h-9 grow gap-1 px-3 last:border-r-0" : "min-h-14 gap-1.5 px-5 max-sm:h-9 max-sm:min-h-0 max-sm:grow max-sm:px-2.5 max-sm:last:border-r-0",
              ACTION_TEXT[part.tone],
              hot && ACTION_GROUND[part.tone],
            )}
          >
            <span className="font-mono text-13 font-semibold" aria-hidden>{part.sign}</span>
            <span className={cx("font-semibold", compact ? "text-13" : "text-20 max-sm:text-13")}>{part.n}</span>
            <span className="text-12 font-medium">{part.word}</span>
          </div>
        );
      })}
    </div>
  );
}

/** Sign and word in fixed columns, the sign right-aligned. */
export function ActionMark({ action, className }: { action: Action; className?: string }) {
  const look = actionLook(action, useWording());
  return (
    <span className={cx("inline-flex shrink-0 items-baseline gap-1.5", ACTION_TEXT[look.tone], className)}>
      <span className="w-[26px] text-right font-mono text-12 font-semibold" aria-hidden>{look.sign}</span>
      <span className="w-[52px] text-12">{look.word}</span>
    </span>
  );
}
