import type { ComponentProps, ReactNode } from "react";
import { cx } from "@/lib/cx";
import { Kbd } from "./kbd";

type Look = "plain" | "primary" | "ghost" | "danger" | "danger-line";
type Size = 24 | 26 | 28 | 32;

const LOOKS: Record<Look, string> = {
  plain: "border border-line-2 bg-surface text-ink hover:bg-hover",
  primary: "border border-transparent bg-primary text-on-primary hover:opacity-90",
  ghost: "border border-transparent text-ink-2 hover:bg-hover hover:text-ink",
  danger: "border border-transparent bg-danger text-on-danger hover:opacity-90",
  "danger-line": "border border-destroy bg-surface text-destroy hover:bg-destroy-bg",
};
const SIZES: Record<Size, string> = {
  24: "h-6 px-2 text-12",
  26: "h-[26px] px-2.5 text-12",
  28: "h-7 px-2.5 text-13",
  32: "h-8 px-3 text-13 max-sm:h-11 max-sm:px-4",
};

interface ButtonProps extends ComponentProps<"button"> {
  look?: Look;
  size?: Size;
  icon?: ReactNode;
  keys?: string;
  /** Why it can't be pressed. The control turns grey, keeps its focus, and says so. */
  blocked?: string | null | undefined;
}

/** A button. Give it `blocked` instead of `disabled`, so that it can say why. */
export function Button({ look = "plain", size = 28, icon, keys, blocked, className, children, onClick, ...rest }: ButtonProps) {
  const off = Boolean(blocked) || rest.disabled;
  return (
    <button
      type="button"
      {...rest}
      aria-disabled={off ? true : undefined}
      title={blocked ?? rest.title}
      onClick={(event) => {
        if (blocked) event.preventDefault();
        else onClick?.(event);
      }}
      className={cx(
        "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-ctl font-medium whitespace-nowrap select-none",
        SIZES[size],
        off ? "border border-line bg-sunken text-ink-3" : LOOKS[look],
        className,
      )}
    >
      {icon}
      {children}
      {keys ? <Kbd inverse={!off && (look === "primary" || look === "danger")}>{keys}</Kbd> : null}
    </button>
  );
}

export function IconButton({ label, className, children, ...rest }: ComponentProps<"button"> & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={cx("inline-flex size-7 shrink-0 items-center justify-center rounded-ctl text-ink-2 hover:bg-hover hover:text-ink", className)}
    >
      {children}
    </button>
  );
}
