import { actionLook } from "@/lib/actions";
import { cx } from "@/lib/cx";
import type { ResourceNode } from "@/lib/plan/tree";

/** A chip for each destructive change: filled once it was seen. */
export function SeenPips({ destructive, isSeen }: { destructive: readonly ResourceNode[]; isSeen: (address: string) => boolean }) {
  if (destructive.length > 12) return null;
  return (
    <span className="inline-flex gap-[3px]" aria-hidden>
      {destructive.map((node) => {
        const on = isSeen(node.resource.address);
        return (
          <span key={node.resource.address} className={cx("flex h-4 min-w-[22px] items-center justify-center rounded-chip border px-1 font-mono text-[10px] font-semibold whitespace-nowrap", on ? "border-primary bg-primary text-on-primary" : "border-ctl text-ink-2")}>
            {actionLook(node.action).sign}
          </span>
        );
      })}
    </span>
  );
}
