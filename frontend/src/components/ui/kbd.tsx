import { cx } from "@/lib/cx";

/** What `mod+` is called on the keyboards of this machine: bindings take Command and Control alike. */
const MOD = /Mac OS X|iPhone|iPad/.test(navigator.userAgent) ? "\u2318" : "Ctrl";

const named = (key: string) => (MOD === "\u2318" ? key : key.replace("\u2318", key.length > 1 ? `${MOD} ` : MOD));

/** The name of a key, beside what it does. Hidden from screen readers: the control's own name is enough. */
export function Kbd({ children, inverse = false }: { children: string; inverse?: boolean }) {
  return (
    <span aria-hidden className="inline-flex gap-0.5 max-sm:hidden">
      {children.split(" ").map((key) => (
        <kbd
          key={key}
          className={cx(
            "inline-flex h-[18px] min-w-[18px] items-center justify-center rounded-chip border px-1 font-sans text-11 font-normal",
            inverse ? "border-current/50" : "border-line-2 text-ink-3",
          )}
        >
          {named(key)}
        </kbd>
      ))}
    </span>
  );
}
