import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { Address } from "@/components/domain/address";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { SearchInput } from "@/components/ui/field";
import { explain } from "@/lib/api/http";
import { facetsQuery, type ResourceFilter, resourcesQuery } from "@/lib/api/state";
import type { ResourceFacets } from "@/lib/api/types";
import { count, plural } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { providerName } from "@/lib/state-words";
import { FacetMenu } from "./facet-menu";

const BELOW = 40;
const byName = new Intl.Collator(undefined, { numeric: true });

/** What a state holds: narrowed by the API, fetched as it is scrolled to, and drawn only where it is seen. */
export function ResourceBrowser({ version }: { version: string }) {
  const field = useRef<HTMLInputElement>(null);
  const [filter, setFilter] = useState<ResourceFilter>({});
  const [text, setText] = useState("");
  const search = useDeferredValue(text.trim());
  const wanted = useMemo(() => ({ ...filter, ...(search ? { search } : {}) }), [filter, search]);
  const facets = useQuery(facetsQuery(version));
  const pages = useInfiniteQuery(resourcesQuery(version, wanted));
  const rows = useMemo(() => pages.data?.pages.flatMap((page) => page.items) ?? [], [pages.data]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => 28, overscan: 20, initialRect: { width: 1200, height: 800 } });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= rows.length - BELOW) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, last, rows.length]);
  useKeys({ "/": () => field.current?.focus() });
  const narrowed = Object.values(wanted).some((each) => each !== undefined);
  const change = (part: Partial<ResourceFilter>) => {
    if (scroller.current) scroller.current.scrollTop = 0;
    setFilter({ ...filter, ...part });
  };
  return (
    <div className="flex h-full min-h-0 grow flex-col">
      <div className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line px-5 py-1.5 max-sm:px-4">
        <SearchInput ref={field} label="Search resources" placeholder="Address" keys="/" value={text} onValue={setText} className="w-60 max-sm:w-full" onKeyDown={(event) => { if (event.key === "Escape") event.currentTarget.blur(); }} />
        <Facets facets={facets.data} filter={filter} onChange={change} />
        <span role="status" className="ml-auto text-12 text-ink-2">{pages.isPlaceholderData ? "narrowing…" : shownWords(rows.length, hasNextPage, narrowed, facets.data)}</span>
      </div>
      {pages.error && rows.length === 0 ? <Empty title="The resources could not be read."><p role="alert">{explain(pages.error)}</p></Empty> : null}
      {pages.isPending ? <Skeleton rows={10} height={28} /> : null}
      {pages.data && rows.length === 0 ? (
        narrowed ? <Empty title="No resource matches."><button type="button" className="link" onClick={() => { setFilter({}); setText(""); }}>Clear the filters</button></Empty> : <Empty title="This state holds no resource.">What was in it was destroyed, or nothing was applied yet.</Empty>
      ) : null}
      {rows.length > 0 ? (
        <div ref={scroller} tabIndex={0} role="group" aria-label="Resources" className="inset-focus min-h-0 grow overflow-auto">
          <ul className="relative" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index];
              return row ? (
                <li key={item.key} className="absolute inset-x-0 flex h-7 items-center gap-3 border-b border-line px-5 hover:bg-hover max-sm:px-4" style={{ transform: `translateY(${item.start}px)` }}>
                  <Address address={row.address} withModule />
                  {row.mode === "data" ? <Tag>data</Tag> : null}
                  <span className="ml-auto shrink-0 text-12 text-ink-3 max-sm:hidden">{providerName(row.provider)}</span>
                </li>
              ) : null;
            })}
          </ul>
        </div>
      ) : null}
    </div>
  );
}

function shownWords(loaded: number, more: boolean, narrowed: boolean, facets: ResourceFacets | undefined): string {
  if (!narrowed) {
    const of = (mode: string) => facets?.modes.find((each) => each.value === mode)?.count ?? 0;
    return facets ? `${plural(of("managed"), "resource")}${of("data") > 0 ? `, ${plural(of("data"), "data source")}` : ""}` : "";
  }
  const of = facets ? ` of ${count(facets.total)}` : "";
  return more ? `more than ${count(loaded)}${of}` : `${count(loaded)}${of}`;
}

function Facets({ facets, filter, onChange }: { facets: ResourceFacets | undefined; filter: ResourceFilter; onChange: (part: Partial<ResourceFilter>) => void }) {
  const plain = (list: readonly { value: string; count: number }[] | undefined, label: (value: string) => string = (value) => value) => (list ?? []).map((each) => ({ ...each, label: label(each.value) })).sort((a, b) => byName.compare(a.label, b.label));
  return (
    <>
      <FacetMenu label="Module" value={filter.module} options={plain(facets?.modules, (value) => value || "root module")} onChange={(module) => onChange({ module })} />
      <FacetMenu label="Type" value={filter.type} options={plain(facets?.types)} onChange={(type) => onChange({ type })} />
      <FacetMenu label="Provider" value={filter.provider} options={plain(facets?.providers, providerName)} onChange={(provider) => onChange({ provider })} />
      {(facets?.modes.length ?? 0) > 1 ? <FacetMenu label="Mode" value={filter.mode} options={plain(facets?.modes, (value) => (value === "data" ? "data sources" : value))} onChange={(mode) => onChange({ mode })} /> : null}
    </>
  );
}
