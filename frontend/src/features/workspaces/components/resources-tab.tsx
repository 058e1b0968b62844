import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { Address } from "@/components/domain/address";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { SearchInput } from "@/components/ui/field";
import { stateVersionQuery } from "@/features/workspaces/api/workspaces";
import type { StateVersion } from "@/lib/api/types";
import { plural } from "@/lib/format";

/** What the newest state holds, virtualized. */
export function ResourcesTab({ version, loaded }: { version: StateVersion | undefined; loaded: boolean }) {
  const detail = useQuery({ ...stateVersionQuery(version?.id ?? ""), enabled: version !== undefined }).data;
  const [text, setText] = useState("");
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => (detail?.resources ?? []).filter((each) => each.address.toLowerCase().includes(text.trim().toLowerCase())), [detail, text]);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => 28, overscan: 20, initialRect: { width: 1200, height: 800 } });
  if (!version) return loaded ? <Empty title="No state yet.">Resources appear after the first apply.</Empty> : <Skeleton rows={8} height={28} />;
  if (!detail) return <Skeleton rows={8} height={28} />;
  return (
    <div className="flex h-full flex-col">
      <div className="flex shrink-0 items-center gap-3 border-b border-line px-5 py-1.5">
        <SearchInput label="Search resources" placeholder="Address" value={text} onValue={setText} className="w-72" />
        <span role="status" className="text-12 text-ink-2">{plural(rows.length, "resource")}, state version {version.number}</span>
      </div>
      <div ref={scroller} tabIndex={0} role="group" aria-label="Resources" className="inset-focus min-h-0 grow overflow-auto">
        <ul className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return row ? (
              <li key={row.address} className="absolute inset-x-0 flex h-7 items-center gap-3 border-b border-line px-5" style={{ transform: `translateY(${item.start}px)` }}>
                <Address address={row.address} withModule />
                {row.mode === "data" ? <Tag>data</Tag> : null}
                <span className="ml-auto shrink-0 text-12 text-ink-3 max-sm:hidden">{row.provider.replace(/^.*\//, "").replace(/["\]]/g, "")}</span>
              </li>
            ) : null;
          })}
        </ul>
      </div>
    </div>
  );
}
