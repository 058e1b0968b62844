import { type ComponentProps, type ReactNode, useId } from "react";
import { Search } from "lucide-react";
import { cx } from "@/lib/cx";
import { Kbd } from "./kbd";

const CONTROL = "w-full rounded-ctl border border-ctl bg-surface px-2.5 text-13 text-ink outline-none focus:border-focus focus:ring-1 focus:ring-focus disabled:bg-sunken disabled:text-ink-3";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input autoComplete="off" spellCheck={false} {...rest} className={cx(CONTROL, "h-8 max-sm:h-11 max-sm:text-16", className)} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea rows={2} {...rest} className={cx(CONTROL, "resize-y py-1.5", className)} />;
}

export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select {...rest} className={cx(CONTROL, "h-8 max-sm:h-11", className)} />;
}

/** A label, its control, what it is for, and what is wrong with it. The control gets the ids by the render prop. */
export function Field({ label, hint, error, children }: {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null | undefined;
  children: (ids: { id: string; "aria-describedby": string | undefined; "aria-invalid": true | undefined }) => ReactNode;
}) {
  const id = useId();
  const about = hint || error ? `${id}-about` : undefined;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-11 text-ink-3">{label}</label>
      {children({ id, "aria-describedby": about, "aria-invalid": error ? true : undefined })}
      {about ? <p id={about} className={cx("text-12", error ? "text-destroy" : "text-ink-3")}>{error ?? hint}</p> : null}
    </div>
  );
}

export function SearchInput({ label, value, onValue, keys, className, trailing, ...rest }: Omit<ComponentProps<"input">, "onChange" | "value"> & {
  label: string;
  value: string;
  onValue: (value: string) => void;
  keys?: string;
  trailing?: ReactNode;
}) {
  return (
    <div className={cx("flex h-7 items-center gap-2 rounded-ctl border border-line-2 bg-surface px-2 focus-within:border-focus focus-within:ring-1 focus-within:ring-focus max-sm:h-11", className)}>
      <Search size={14} className="shrink-0 text-ink-2" aria-hidden />
      <input
        type="search"
        aria-label={label}
        autoComplete="off"
        spellCheck={false}
        {...rest}
        value={value}
        onChange={(event) => onValue(event.target.value)}
        className="min-w-0 grow bg-transparent text-13 outline-none [&::-webkit-search-cancel-button]:hidden"
      />
      {trailing}
      {keys && !value ? <Kbd>{keys}</Kbd> : null}
    </div>
  );
}

export function Checkbox({ label, hideLabel, className, ...rest }: ComponentProps<"input"> & { label: string; hideLabel?: boolean }) {
  return (
    <label className={cx("inline-flex items-center gap-2 text-12 text-ink-2", className)}>
      <span className="relative inline-flex">
        <input
          type="checkbox"
          aria-label={hideLabel ? label : undefined}
          {...rest}
          className="peer size-3.5 appearance-none rounded-chip border border-ctl bg-surface checked:border-primary checked:bg-primary disabled:bg-sunken max-sm:size-5"
        />
        <svg viewBox="0 0 14 14" className="pointer-events-none absolute inset-0 hidden text-on-primary peer-checked:block" aria-hidden>
          <path d="M3.500 7.300 6 9.700l4.500-5" fill="none" stroke="currentColor" strokeWidth="1.600" strokeLinecap="round" strokeLinejoin="round" />
        </svg>
      </span>
      {hideLabel ? null : <span>{label}</span>}
    </label>
  );
}
