import { ChevronDown, ChevronRight } from "lucide-react";
import { Address } from "@/components/domain/address";
import { ActionMark, CountLine } from "@/components/domain/counts";
import { Checkbox } from "@/components/ui/field";
import { cx } from "@/lib/cx";
import type { ModuleNode, ResourceNode } from "@/lib/plan/tree";

export function ModuleRow({ module, open, onToggle }: { module: ModuleNode; open: boolean; onToggle: () => void }) {
  const Chevron = open ? ChevronDown : ChevronRight;
  return (
    <button
      type="button"
      aria-expanded={open}
      onClick={onToggle}
      className="inset-focus flex h-7 w-full items-center gap-2 border-b border-line bg-canvas pr-4 pl-1 text-left text-12 max-sm:pr-3"
    >
      <Chevron size={14} className="shrink-0 text-ink-2" aria-hidden />
      <span className={cx("truncate font-semibold", module.module && "font-mono")}>{module.module || "Root module"}</span>
      {module.note ? <span className="shrink-0 text-ink-3">{module.note}</span> : null}
      <CountLine counts={module.counts} none="" className="ml-auto shrink-0" />
    </button>
  );
}

interface ResourceRowProps {
  node: ResourceNode;
  open: boolean;
  current: boolean;
  seen: boolean;
  markable: boolean;
  finding: string | undefined;
  onToggle: () => void;
  onSeen: (seen: boolean) => void;
}

export function ResourceRow({ node, open, current, seen, markable, finding, onToggle, onSeen }: ResourceRowProps) {
  const { address } = node.resource;
  const Chevron = open ? ChevronDown : ChevronRight;
  const foldable = node.lines.length > 0;
  return (
    <div className={cx("flex h-7 items-center pr-4 max-sm:h-11 max-sm:pr-3", current ? "bg-selected shadow-[inset_2px_0_0_var(--ink)]" : "hover:bg-hover")}>
      <button type="button" aria-expanded={foldable ? open : undefined} onClick={onToggle} className="inset-focus flex h-full min-w-0 grow items-center gap-1.5 pl-1 text-left">
        {foldable ? <Chevron size={14} className="shrink-0 text-ink-3" aria-hidden /> : <span className="w-3.5 shrink-0" />}
        <ActionMark action={node.action} />
        <Address address={address} className="shrink" />
        <span className="min-w-0 shrink-[2] truncate text-12 text-ink-3">
          {node.short && !open
            ? node.short.map((each, i) => (
                <span key={each.path}>
                  {i > 0 ? ", " : ""}
                  <span className="font-mono text-ink-2">{each.path}</span> {each.before} → {each.after}
                </span>
              ))
            : node.note}
        </span>
      </button>
      {finding ? <span className="ml-2 shrink-0 text-11 text-wait max-sm:hidden">{finding}</span> : null}
      {node.destructive && markable ? (
        <Checkbox label="Seen" aria-label={`Seen: ${address}`} className="ml-3 shrink-0" checked={seen} onChange={(event) => onSeen(event.target.checked)} />
      ) : null}
    </div>
  );
}
