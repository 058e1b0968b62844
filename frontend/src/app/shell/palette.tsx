import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Box, Layers, OctagonX, Plus, Search } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { type ReactNode, useId, useMemo, useState } from "react";
import { StatusIcon } from "@/components/domain/status";
import { Kbd } from "@/components/ui/kbd";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { runsQuery } from "@/lib/api/runs";
import type { Stack, WorkspaceRow } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { NAV } from "./nav-items";

interface Entry {
  id: string;
  group: string;
  icon: ReactNode;
  label: string;
  aside?: string | undefined;
  keys?: string;
  act: () => void;
}

/** ⌘K: goes to a place, a workspace, a run or a stack, or starts a command. */
export default function Palette({ onClose, onHalt }: { onClose: () => void; onHalt: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const needle = text.trim().toLowerCase();
  const navigate = useNavigate();
  const listId = useId();
  const workspaces = useQuery({
    queryKey: [...keys.workspaces, "palette", needle],
    queryFn: ({ signal }) => http.get<Page<WorkspaceRow>>("/terraform/workspaces", { search: needle, limit: 8 }, signal),
    placeholderData: (before) => before,
  }).data?.items;
  const stacks = useQuery({ queryKey: [...keys.stacks, "palette"], queryFn: ({ signal }) => http.get<Page<Stack>>("/terraform/stacks", { limit: 50 }, signal) }).data?.items;
  const runs = useQuery({ ...runsQuery({ limit: 20 }), refetchInterval: false }).data?.items;

  const entries = useMemo<Entry[]>(() => {
    const has = (...words: (string | undefined)[]) => words.some((word) => word?.toLowerCase().includes(needle));
    const go = (act: () => unknown) => () => {
      onClose();
      act();
    };
    return [
      ...NAV.filter((item) => has(item.label)).map((item) => ({ id: item.to, group: "Go to", icon: <item.icon size={15} />, label: item.label, keys: item.keys, act: go(() => navigate({ to: item.to })) })),
      ...(has("New workspace") ? [{ id: "new", group: "Commands", icon: <Plus size={15} />, label: "New workspace", act: go(() => navigate({ to: "/infra/terraform", search: { create: true } })) }] : []),
      ...(has("Halt", "stop") ? [{ id: "halt", group: "Commands", icon: <OctagonX size={15} className="text-destroy" />, label: "Halt", keys: "⇧ H", act: () => { onClose(); onHalt(); } }] : []),
      ...(workspaces ?? []).filter((each) => has(each.name, ...each.tags)).slice(0, 8).map((each) => ({ id: each.id, group: "Workspaces", icon: <Box size={15} />, label: each.name, aside: each.stack.name, act: go(() => navigate({ to: "/infra/terraform/workspaces/$id", params: { id: each.id } })) })),
      ...(runs ?? []).filter((each) => has(each.message, each.id, each.workspace.name)).slice(0, 6).map((each) => ({ id: each.id, group: "Runs", icon: <StatusIcon status={each.status} kind={each.kind} phase={each.phase} halted={each.halted} />, label: each.message || each.id, aside: each.workspace.name, act: go(() => navigate({ to: "/infra/terraform/runs/$id", params: { id: each.id } })) })),
      ...(stacks ?? []).filter((each) => has(each.name)).slice(0, 5).map((each) => ({ id: each.id, group: "Stacks", icon: <Layers size={15} />, label: each.name, act: go(() => navigate({ to: "/infra/terraform/stacks/$id", params: { id: each.name } })) })),
    ];
  }, [needle, workspaces, runs, stacks, navigate, onClose, onHalt]);

  const current = Math.min(at, Math.max(0, entries.length - 1));
  return (
    <Radix.Root open onOpenChange={(open) => { if (!open) onClose(); }}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Radix.Content aria-describedby={undefined} className="fixed top-[12vh] left-1/2 z-50 flex max-h-[70vh] w-[calc(100vw-24px)] max-w-[560px] -translate-x-1/2 flex-col rounded-dialog border border-line bg-raised shadow-lift outline-none">
          <Radix.Title className="sr-only">Search or run a command</Radix.Title>
          <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-4">
            <Search size={15} className="text-ink-2" aria-hidden />
            <input
              autoFocus
              role="combobox"
              aria-expanded
              aria-controls={listId}
              aria-activedescendant={entries[current] ? `${listId}-${current}` : undefined}
              aria-label="Search or run a command"
              placeholder="Workspace, run, stack, or a command"
              value={text}
              onChange={(event) => { setText(event.target.value); setAt(0); }}
              onKeyDown={(event) => {
                if (event.key === "ArrowDown") setAt(Math.min(current + 1, entries.length - 1));
                else if (event.key === "ArrowUp") setAt(Math.max(current - 1, 0));
                else if (event.key === "Enter") entries[current]?.act();
                else return;
                event.preventDefault();
              }}
              className="min-w-0 grow bg-transparent text-13 outline-none"
            />
            <Kbd>Esc</Kbd>
          </div>
          <div id={listId} role="listbox" aria-label="Results" className="min-h-0 overflow-auto p-1.5">
            {entries.length === 0 ? <p className="px-3 py-6 text-ink-2">Nothing is called “{text}”.</p> : null}
            {entries.map((entry, i) => (
              <div key={`${entry.group}-${entry.id}`} role="presentation">
                {entries[i - 1]?.group === entry.group ? null : <p role="presentation" className="px-2 pt-2 pb-1 text-11 text-ink-3">{entry.group}</p>}
                <div
                  id={`${listId}-${i}`}
                  role="option"
                  aria-selected={i === current}
                  ref={i === current ? (node) => node?.scrollIntoView({ block: "nearest" }) : undefined}
                  onPointerMove={() => setAt(i)}
                  onClick={entry.act}
                  className={cx("flex h-8 cursor-pointer items-center gap-2.5 rounded-ctl px-2 text-13", i === current && "bg-selected")}
                >
                  <span className="flex w-4 shrink-0 justify-center text-ink-2">{entry.icon}</span>
                  <span className="truncate">{entry.label}</span>
                  <span className="ml-auto shrink-0 text-12 text-ink-3">{entry.aside}</span>
                  {entry.keys ? <Kbd>{entry.keys}</Kbd> : null}
                </div>
              </div>
            ))}
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
