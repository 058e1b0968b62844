import { Ago } from "@/components/domain/ago";
import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { StatusText } from "@/components/domain/status";
import { LockText } from "@/components/domain/lock-text";
import { Tag } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { haltOver } from "@/lib/api/halts";
import { type Permission, useMay } from "@/lib/api/session";
import type { Halt, WorkspaceRow } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { count } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { isWorking } from "@/lib/run-status";
import { runTitle } from "@/lib/run-title";
import { PHONE, useMedia } from "@/lib/use-media";
import { DestroyPopover } from "./destroy-popover";
import { useRequestRun } from "./use-row-runs";

const GRID = "grid grid-cols-[minmax(190px,1.3fr)_150px_minmax(160px,1.5fr)_64px_minmax(130px,0.9fr)_76px_minmax(200px,1fr)] max-lg:grid-cols-[minmax(160px,1.2fr)_150px_minmax(140px,1.2fr)_64px_minmax(180px,1fr)] items-center gap-3 px-5";

export function WorkspaceTable({ rows, halts }: { rows: readonly WorkspaceRow[]; halts: readonly Halt[] }) {
  const phone = useMedia(PHONE);
  const scroller = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  const [destroying, setDestroying] = useState<string | null>(null);
  const navigate = useNavigate();
  const run = useRequestRun();
  const may = useMay();
  const current = Math.min(at, rows.length - 1);
  const height = phone ? 64 : 32;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => height, overscan: 20, initialRect: { width: 1200, height: 800 } });
  useEffect(() => virtual.measure(), [height, virtual]);

  const move = (by: number) => {
    const next = Math.min(Math.max(current + by, 0), rows.length - 1);
    setAt(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  const blockedOf = (row: WorkspaceRow, right: Permission) => {
    const halt = haltOver(halts, row.id);
    return halt ? `A halt stands: ${halt.reason}` : may(right);
  };
  useKeys({
    j: () => move(1), k: () => move(-1), arrowdown: () => move(1), arrowup: () => move(-1), "]": () => move(20), "[": () => move(-20),
    enter: () => { const row = rows[current]; if (row) void navigate({ to: "/infra/terraform/workspaces/$id", params: { id: row.id } }); },
    p: () => { const row = rows[current]; if (row && !blockedOf(row, "runs:plan")) run.request({ workspace: row.id, kind: "plan" }); },
  });

  return (
    <div role="table" aria-label="Workspaces" aria-rowcount={rows.length + 1} className="flex min-h-0 grow flex-col">
      {phone ? null : (
        <div role="row" className={cx(GRID, "h-[30px] shrink-0 border-b border-line bg-canvas text-11 text-ink-3")}>
          <span role="columnheader">Workspace</span>
          <span role="columnheader">Status</span>
          <span role="columnheader">Last run</span>
          <span role="columnheader"><span className="sr-only">Age</span></span>
          <span role="columnheader" className="max-lg:hidden">Stack spec</span>
          <span role="columnheader" className="text-right max-lg:hidden">Resources</span>
          <span role="columnheader">Lock holder, heartbeat</span>
        </div>
      )}
      {run.error && !destroying ? <p role="alert" className="border-b border-line bg-destroy-bg px-5 py-1.5 text-12 text-destroy">{run.error}</p> : null}
      <div ref={scroller} role="rowgroup" className="inset-focus min-h-0 grow overflow-auto" tabIndex={0}>
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            const shared = { row, current: item.index === current, top: item.start, onEnter: () => { if (!destroying) setAt(item.index); } };
            return phone ? (
              <PhoneRow key={row.id} {...shared} />
            ) : (
              <Row
                key={row.id}
                {...shared}
                planBlocked={blockedOf(row, "runs:plan")}
                destroyBlocked={blockedOf(row, "runs:destroy")}
                busy={run.busy}
                error={run.error}
                destroying={destroying === row.id}
                onDestroying={(open) => { run.reset(); setDestroying(open ? row.id : null); }}
                onPlan={() => run.request({ workspace: row.id, kind: "plan" })}
                onDestroy={(why) => run.request({ workspace: row.id, kind: "destroy", ...(why ? { message: why } : {}) })}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface Shared {
  row: WorkspaceRow;
  current: boolean;
  top: number;
  onEnter: () => void;
}

interface RowProps extends Shared {
  planBlocked: string | null;
  destroyBlocked: string | null;
  busy: boolean;
  error: string | null;
  destroying: boolean;
  onDestroying: (open: boolean) => void;
  onPlan: () => void;
  onDestroy: (why: string) => void;
}

function Status({ row }: { row: WorkspaceRow }) {
  const run = row.latest_run;
  return run ? <StatusText className="text-12" status={run.status} kind={run.kind} phase={run.phase} halted={run.halted} /> : <span className="text-ink-3">no run yet</span>;
}

function Row({ row, current, top, onEnter, planBlocked, destroyBlocked, busy, error, destroying, onDestroying, onPlan, onDestroy }: RowProps) {
  const now = useNow();
  const run = row.latest_run;
  const waiting = run?.status === "awaiting_approval";
  const lockedBy = row.lock && !row.lock.is_orphaned ? `The state is locked by ${row.lock.run_id ?? row.lock.holder.name ?? "a person"}` : null;
  return (
    <div
      role="row"
      onMouseEnter={onEnter}
      onFocus={onEnter}
      className={cx(GRID, "absolute inset-x-0 h-8 border-b border-line text-13", current && "bg-selected shadow-[inset_2px_0_0_var(--ink)]")}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span role="cell" className="flex min-w-0 items-center gap-2">
        <Link to="/infra/terraform/workspaces/$id" params={{ id: row.id }} className="truncate font-medium hover:underline">{row.name}</Link>
        {row.tags.slice(0, 2).map((tag) => <Tag key={tag}>{tag}</Tag>)}
        {row.tags.length > 2 ? <span className="text-11 text-ink-3" title={row.tags.join(", ")}>+{row.tags.length - 2}</span> : null}
      </span>
      <span role="cell" className="flex min-w-0 items-center"><Status row={row} /></span>
      <span role="cell" className="min-w-0 truncate text-ink-2">
        {run ? <Link to="/infra/terraform/runs/$id" params={{ id: run.id }} className="hover:text-ink hover:underline">{runTitle(run)}</Link> : null}
      </span>
      <span role="cell" className="text-right text-12 whitespace-nowrap text-ink-3">{run ? <Ago iso={run.finished_at ?? run.created_at} now={now} /> : ""}</span>
      <span role="cell" className="flex min-w-0 items-center gap-1.5 text-ink-2 max-lg:hidden">
        <span className="truncate">{row.stack.name}</span> {row.head?.number ? <span className="shrink-0 font-medium text-ink">v{row.head.number}</span> : <span className="shrink-0 text-12 text-ink-3">no version</span>}
        {row.is_behind ? <Tag>newer</Tag> : null}
      </span>
      <span role="cell" className="tnum text-right max-lg:hidden">{count(row.resource_count)}</span>
      <span role="cell" className="flex min-w-0 items-center text-12">
        {current && !lockedBy ? (
          <span className="ml-auto flex gap-1.5">
            <Button size={24} keys="P" blocked={planBlocked} disabled={busy} onClick={onPlan}>Plan</Button>
            {waiting ? (
              <Link to="/infra/terraform/runs/$id" params={{ id: run.id }} className="inline-flex h-6 items-center rounded-ctl border border-line-2 bg-surface px-2 text-12 font-medium hover:bg-hover">Apply</Link>
            ) : (
              <Button size={24} blocked={run && isWorking(run.status) ? "A run is at work" : "Nothing waits to be applied: plan first"}>Apply</Button>
            )}
            <DestroyPopover
              name={row.name}
              resources={row.resource_count}
              open={destroying}
              onOpenChange={onDestroying}
              busy={busy}
              error={error}
              onDestroy={onDestroy}
              trigger={<Button size={24} look="danger-line" blocked={destroyBlocked ?? (row.resource_count === 0 ? "There is nothing to destroy" : null)}>Destroy</Button>}
            />
          </span>
        ) : (
          row.lock ? <Link to="/infra/terraform/workspaces/$id" params={{ id: row.id }} search={{ tab: "state" }} hash="lock" className="hover:underline"><LockText lock={row.lock} /></Link> : <LockText lock={null} />
        )}
      </span>
    </div>
  );
}

function PhoneRow({ row, top }: Shared) {
  const now = useNow();
  const run = row.latest_run;
  return (
    <div role="row" className="absolute inset-x-0 h-16 border-b border-line" style={{ transform: `translateY(${top}px)` }}>
      <span role="cell">
        <Link to="/infra/terraform/workspaces/$id" params={{ id: row.id }} className="inset-focus flex h-full flex-col justify-center gap-0.5 px-4">
          <span className="flex items-center gap-2"><span className="truncate text-13 font-medium">{row.name}</span>{row.tags.slice(0, 2).map((tag) => <Tag key={tag}>{tag}</Tag>)}<span className="ml-auto shrink-0 text-12 text-ink-3">{run ? <Ago iso={run.finished_at ?? run.created_at} now={now} /> : ""}</span></span>
          <span className="flex items-center gap-2 text-12"><Status row={row} /><span className="truncate text-ink-3">{run ? runTitle(run) : ""}</span></span>
        </Link>
      </span>
    </div>
  );
}
