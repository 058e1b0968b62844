import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

/** A neutral chip, for tags and short facts. */
export function Tag({ children, tone = "plain" }: { children: ReactNode; tone?: "plain" | "wait" | "destroy" | "create" }) {
  const tones = {
    plain: "border-line text-ink-2",
    wait: "border-transparent bg-wait-bg text-wait",
    destroy: "border-transparent bg-destroy-bg text-destroy",
    create: "border-transparent bg-create-bg text-create",
  };
  return <span className={cx("inline-flex h-[18px] shrink-0 items-center rounded-chip border px-1.5 text-11", tones[tone])}>{children}</span>;
}

export function Avatar({ name, size = 20 }: { name: string; size?: number }) {
  const parts = name.trim().split(/[\s._@-]+/).filter(Boolean);
  const letters = ((parts[0]?.[0] ?? "") + (parts.length > 1 ? (parts.at(-1)?.[0] ?? "") : "")).toUpperCase();
  return (
    <span
      aria-hidden
      style={{ width: size, height: size, fontSize: size < 22 ? 9 : 10 }}
      className="inline-flex shrink-0 items-center justify-center rounded-full border border-line-2 bg-sunken font-medium text-ink-2"
    >
      {letters}
    </span>
  );
}

/** What would be here, and the next step. */
export function Empty({ title, children, className }: { title: ReactNode; children?: ReactNode; className?: string }) {
  return (
    <div className={cx("px-5 py-10 text-13", className)}>
      <p className="font-medium text-ink">{title}</p>
      {children ? <div className="mt-1 max-w-prose text-ink-2">{children}</div> : null}
    </div>
  );
}

/** Lines in the place of a first load; later loads keep what was there. */
export function Skeleton({ rows = 6, height = 32, label = "Loading" }: { rows?: number; height?: number; label?: string }) {
  return (
    <div role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className="flex items-center gap-4 border-b border-line px-5" style={{ height }}>
          <span className="skeleton h-3" style={{ width: `${30 + ((i * 17) % 34)}%` }} />
          <span className="skeleton ml-auto h-3 w-16" />
        </div>
      ))}
    </div>
  );
}

export function SectionHead({ title, aside, className, id }: { title: ReactNode; aside?: ReactNode; className?: string; id?: string }) {
  return (
    <div className={cx("flex min-h-6 items-center justify-between gap-3", className)}>
      <h2 id={id} className="text-13 font-semibold">{title}</h2>
      <div className="text-12 text-ink-3">{aside}</div>
    </div>
  );
}

/** A name and its value, one line. */
export function Fact({ label, children, className }: { label: ReactNode; children: ReactNode; className?: string }) {
  return (
    <div className={cx("flex min-w-0 gap-3 text-12 leading-5", className)}>
      <dt className="w-24 shrink-0 text-ink-3">{label}</dt>
      <dd className="min-w-0 truncate text-ink">{children}</dd>
    </div>
  );
}

/** Facts side by side under a page's header; it scrolls sideways where it must. */
export function FactStrip({ className, children }: { className?: string; children: ReactNode }) {
  return <dl className={cx("inset-focus flex min-h-[46px] shrink-0 overflow-x-auto border-b border-line [scrollbar-width:none]", className)} tabIndex={0} aria-label="Facts">{children}</dl>;
}

export function FactCell({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col justify-center border-r border-line px-4 py-1.5 first:pl-5 last:border-r-0 max-sm:shrink-0 max-sm:first:pl-4">
      <dt className="text-11 whitespace-nowrap text-ink-3">{label}</dt>
      <dd className="truncate text-12 whitespace-nowrap">{children}</dd>
    </div>
  );
}
