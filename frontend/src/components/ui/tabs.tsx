import { Link, type LinkProps } from "@tanstack/react-router";
import { type ReactNode, useLayoutEffect, useRef } from "react";
import { cx } from "@/lib/cx";

export interface TabItem {
  id: string;
  label: string;
  count?: ReactNode;
  /** Said in the colour of trouble: “1 failed”. */
  alert?: string | undefined;
}

/**
 * Tabs whose choice is in the address, so that every view has a URL. They are links in a navigation, since choosing one
 * goes somewhere.
 */
export function LinkTabs({ items, current, label, linkFor, className }: {
  items: readonly TabItem[];
  current: string;
  label: string;
  linkFor: (id: string) => LinkProps;
  className?: string;
}) {
  const nav = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    // On a phone the row is wider than the window: the tab that one is on must be in sight.
    const here = nav.current?.querySelector<HTMLElement>("[aria-current=page]");
    if (!nav.current || !here) return;
    const { left, right } = nav.current.getBoundingClientRect();
    const box = here.getBoundingClientRect();
    if (box.right > right) nav.current.scrollLeft += box.right - right;
    else if (box.left < left) nav.current.scrollLeft -= left - box.left;
  }, [current]);
  return (
    <nav ref={nav} aria-label={label} className={cx("flex h-[38px] min-w-0 gap-4 overflow-x-auto [scrollbar-width:none]", className)}>
      {items.map((item) => {
        const here = item.id === current;
        return (
          <Link
            key={item.id}
            {...linkFor(item.id)}
            aria-current={here ? "page" : undefined}
            className={cx(
              "inset-focus relative flex items-center gap-1.5 text-13 whitespace-nowrap",
              here ? "font-medium text-ink after:absolute after:inset-x-0 after:bottom-0 after:h-0.5 after:bg-ink" : "text-ink-2 hover:text-ink",
            )}
          >
            {item.label}
            {item.alert ? <span className="text-12 text-destroy">{item.alert}</span> : item.count !== undefined ? <span className="tnum text-12 font-normal text-ink-3">{item.count}</span> : null}
          </Link>
        );
      })}
    </nav>
  );
}

/** One choice of a few, in one control. */
export function Segmented<T extends string>({ label, value, onChange, options, className }: {
  label: string;
  value: T;
  onChange: (value: T) => void;
  options: readonly { value: T; label: ReactNode; name?: string }[];
  className?: string;
}) {
  return (
    <div role="group" aria-label={label} className={cx("inline-flex h-[26px] shrink-0 overflow-hidden rounded-ctl border border-line-2 max-sm:h-9", className)}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className={cx(
            "inset-focus flex items-center gap-1 border-r border-line-2 px-2.5 text-12 last:border-r-0",
            option.value === value ? "bg-selected font-medium text-ink" : "text-ink-2 hover:bg-hover",
          )}
        >
          {option.name ? <><span aria-hidden>{option.label}</span><span className="sr-only">{option.name}</span></> : option.label}
        </button>
      ))}
    </div>
  );
}
