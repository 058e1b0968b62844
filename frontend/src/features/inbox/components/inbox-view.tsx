import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Kbd } from "@/components/ui/kbd";
import { Segmented } from "@/components/ui/tabs";
import { explain } from "@/lib/api/http";
import { inboxQuery } from "@/lib/api/inbox";
import { useMe } from "@/lib/api/session";
import type { InboxItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { plural } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { isAway, shownGroups, type View } from "./groups";
import { LockPreview } from "./lock-preview";
import { Preview } from "./preview";
import { InboxRow, placeOf } from "./row";
import { usePut } from "./use-put";

const HOUR = 3_600_000;

export function InboxView({ view, onView }: { view: View; onView: (view: View) => void }) {
  const me = useMe();
  const now = useNow();
  const navigate = useNavigate();
  const inbox = useQuery(inboxQuery);
  const [put, setPut] = usePut(me.id);
  const [read, setRead] = useState<ReadonlySet<string>>(new Set());
  const [focused, setFocused] = useState<string | null>(null);
  const list = useRef<HTMLDivElement>(null);

  const groups = shownGroups(inbox.data, view, put, now);
  const items = groups.flatMap((group) => group.items);
  const mine = shownGroups(inbox.data, "you", put, now).reduce((sum, group) => sum + group.items.length, 0);
  const snoozed = Object.entries(put).filter(([id, until]) => until !== 0 && isAway(put, id, now)).length;
  const current = items.find((item) => item.run.id === focused) ?? items[0];

  useEffect(() => {
    list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  }, [focused]);

  const move = (by: number) => {
    const at = items.findIndex((item) => item.run.id === current?.run.id);
    const next = items[Math.min(Math.max(at + by, 0), items.length - 1)];
    if (next) setFocused(next.run.id);
  };
  const open = (item: InboxItem | undefined, decide?: string) => {
    if (!item) return;
    setRead(new Set([...read, item.run.id]));
    const place = placeOf(item);
    void navigate(decide && !item.lock ? { ...place, search: { decide } } : place);
  };
  const away = (until: number | null) => {
    if (!current) return;
    const at = items.indexOf(current);
    setPut(current.run.id, until);
    setFocused(items[at + 1]?.run.id ?? items[at - 1]?.run.id ?? null);
  };
  useKeys({
    j: () => move(1), k: () => move(-1), arrowdown: () => move(1), arrowup: () => move(-1),
    enter: () => open(current),
    a: () => open(current),
    r: () => open(current, "reject"),
    h: () => away(view === "snoozed" ? null : now + HOUR),
    e: () => away(0),
  });

  return (
    <main className="flex min-h-0 grow">
      <div className="flex min-w-0 grow flex-col">
        <header className="flex min-h-[54px] items-center gap-3 border-b border-line px-5 max-sm:px-4">
          <h1 className="text-16 font-semibold">Inbox</h1>
          <span className="text-13 text-ink-3 max-sm:hidden">{mine} for you</span>
          <Segmented<View> className="ml-auto" label="Show" value={view} onChange={onView} options={[{ value: "you", label: `For you ${mine}` }, { value: "all", label: `All ${inbox.data?.total ?? 0}` }, { value: "snoozed", label: `Snoozed ${snoozed}` }]} />
        </header>
        <div ref={list} className="min-h-0 grow overflow-auto" tabIndex={-1}>
          {inbox.isPending ? <Skeleton rows={8} height={48} /> : null}
          {inbox.error && !inbox.data ? <Empty title="The inbox could not be read."><p role="alert">{explain(inbox.error)}</p></Empty> : null}
          {groups.map((group) => (
            <section key={group.name} aria-labelledby={`group-${group.name}`}>
              <h2 id={`group-${group.name}`} className="sticky top-0 z-10 flex h-7 items-center gap-2 border-b border-line bg-canvas px-5 text-12 font-medium max-sm:px-4">
                {group.title} <span className="tnum font-normal text-ink-3">{group.items.length}</span>
                {group === groups[0] ? <span className="ml-auto font-normal text-ink-3">newest first</span> : null}
              </h2>
              <ul>
                {group.items.map((item) => (
                  <InboxRow key={item.run.id} item={item} current={item === current} unread={view === "you" && !read.has(item.run.id)} now={now} onFocus={() => setFocused(item.run.id)} />
                ))}
              </ul>
            </section>
          ))}
          {inbox.data && items.length === 0 ? (
            <Empty title={view === "snoozed" ? "Nothing is snoozed." : view === "all" ? "Nothing waits for anybody." : "Nothing waits for you."}>
              {view === "you" ? (inbox.data.in_progress > 0 ? `${plural(inbox.data.in_progress, "run is", "runs are")} in progress.` : "Plans that need your approval, and runs that failed, appear here.") : null}
            </Empty>
          ) : null}
        </div>
        <footer className="flex h-7 shrink-0 items-center gap-5 border-t border-line bg-canvas px-5 text-12 text-ink-2 max-sm:hidden">
          <span className="flex items-center gap-1.5"><Kbd>J K</Kbd> move</span>
          <span className="flex items-center gap-1.5"><Kbd>↵</Kbd> open</span>
          <span className="flex items-center gap-1.5"><Kbd>A</Kbd> approve</span>
          <span className="flex items-center gap-1.5"><Kbd>R</Kbd> reject</span>
          <span className="flex items-center gap-1.5"><Kbd>H</Kbd> {view === "snoozed" ? "wake" : "snooze"}</span>
          <span className="flex items-center gap-1.5"><Kbd>E</Kbd> done</span>
          <span className="ml-auto flex items-center gap-1.5"><Kbd>?</Kbd> all shortcuts</span>
        </footer>
      </div>
      {current ? current.lock ? <LockPreview key={current.run.id} item={current} lock={current.lock} /> : <Preview key={current.run.id} item={current.run} why={current.why} onReject={() => open(current, "reject")} /> : null}
    </main>
  );
}
