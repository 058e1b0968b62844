import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Empty } from "@/components/ui/bits";
import type { PolicyCheck } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { plural } from "@/lib/format";
import type { ModuleNode } from "@/lib/plan/tree";
import type { ChangeView } from "./use-change-view";
import { type ChangeRow, estimate } from "./rows";
import { JsonBlock } from "./json-block";
import { ModuleRow, ResourceRow } from "./resource-row";
import { AttributeRow } from "./side";

const NO_CHECKS: readonly PolicyCheck[] = [];

/** The rules that speak of an address, worst first. */
function findingsByAddress(checks: readonly PolicyCheck[]): Map<string, string> {
  const out = new Map<string, string>();
  for (const check of checks) for (const finding of check.findings) if (finding.address && !out.has(finding.address)) out.set(finding.address, `${finding.rule}, ${check.enforcement_level}`);
  return out;
}

/** The change tree, virtualized: thousands of resources scroll like ten. The module in sight stays on top. */
export function ChangeTree({ view, checks = NO_CHECKS, markable = false, label, empty, lead, tail }: {
  view: ChangeView;
  checks?: readonly PolicyCheck[];
  /** Whether what is lost can be marked as seen. */
  markable?: boolean;
  label: string;
  empty?: { title: string; text: string };
  /** What scrolls with the tree, above and below it. */
  lead?: ReactNode;
  tail?: ReactNode;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const above = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const { rows, cursor } = view;
  useLayoutEffect(() => {
    const height = above.current?.offsetHeight ?? 0;
    if (height !== margin) setMargin(height);
  }, [lead, margin]);
  const findings = useMemo(() => findingsByAddress(checks), [checks]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (i) => estimate(rows[i]),
    getItemKey: (i) => rows[i]?.key ?? i,
    overscan: 24,
    scrollMargin: margin,
    initialRect: { width: 800, height: 600 },
  });
  const cursorRow = rows.findIndex((row) => row.kind === "resource" && row.node.resource.address === cursor);
  const { jump } = view;
  useEffect(() => {
    if (jump > 0 && cursorRow >= 0) virtual.scrollToIndex(cursorRow, { align: "auto" });
    // Only a move by key scrolls; a click on what is in sight must not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [jump]);

  const none = view.filtered ? { title: "No change matches the filter.", text: "Clear it to see the others." } : empty ?? { title: "This plan changes no resource.", text: "What it changes, if anything, is under Outputs." };
  const items = virtual.getVirtualItems();
  const top = items.find((item) => item.end > (virtual.scrollOffset ?? 0));
  const sticky = top ? moduleAt(rows, top.index) : undefined;
  const draw = (row: ChangeRow) => {
    switch (row.kind) {
      case "module":
        return <ModuleRow module={row.module} open={!view.closedModules.has(row.module.module)} onToggle={() => view.toggleModule(row.module.module)} />;
      case "resource": {
        const { address } = row.node.resource;
        return (
          <ResourceRow
            node={row.node}
            open={view.expanded.has(address)}
            current={address === cursor}
            seen={view.seen.has(address)}
            markable={markable}
            finding={view.expanded.has(address) ? undefined : findings.get(address)}
            onToggle={() => view.toggle(address)}
            onSeen={(seen) => view.seen.set(address, seen)}
          />
        );
      }
      case "attribute":
        return <AttributeRow line={row.line} creating={row.node.action === "create"} note={row.line === row.node.lines[0] && findings.has(row.node.resource.address) ? { text: findings.get(row.node.resource.address) ?? "", to: "#policies" } : undefined} />;
      case "json":
        return row.line.json ? <JsonBlock diff={row.line.json} /> : null;
      case "unchanged":
        return <p className="flex h-5 items-center gap-3 pl-9 text-12 text-ink-3 max-sm:pl-4"><span className="w-3 text-right" aria-hidden>···</span>{plural(row.count, "attribute")} unchanged</p>;
    }
  };
  return (
    <div ref={scroller} tabIndex={0} role="group" aria-label={label} className="inset-focus relative min-h-0 grow overflow-auto">
      {sticky && (virtual.scrollOffset ?? 0) > margin ? (
        <div className="sticky top-0 z-10 -mb-7" aria-hidden inert>
          <ModuleRow module={sticky} open onToggle={() => undefined} />
        </div>
      ) : null}
      {lead ? <div ref={above}>{lead}</div> : null}
      {rows.length === 0 ? <Empty title={none.title}>{none.text}</Empty> : null}
      <div className={cx("relative", rows.length > 0 && "pb-2")} style={{ height: rows.length > 0 ? virtual.getTotalSize() + 8 : 0 }}>
        {items.map((item) => {
          const row = rows[item.index];
          return (
            <div key={item.key} data-index={item.index} ref={virtual.measureElement} className="absolute inset-x-0 top-0" style={{ transform: `translateY(${item.start - margin}px)` }}>
              {row ? draw(row) : null}
            </div>
          );
        })}
      </div>
      {tail}
    </div>
  );
}

function moduleAt(rows: readonly ChangeRow[], index: number): ModuleNode | undefined {
  for (let i = index; i >= 0; i -= 1) {
    const row = rows[i];
    if (row?.kind === "module") return row.module;
  }
  return undefined;
}
