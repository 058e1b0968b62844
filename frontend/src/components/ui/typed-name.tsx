import { Check } from "lucide-react";
import type { Ref } from "react";
import { cx } from "@/lib/cx";
import { Input } from "./field";

/** The name, typed over its own shadow. */
export function TypedName({ name, typed, onTyped, inputRef, wide = false, id }: {
  name: string;
  typed: string;
  onTyped: (typed: string) => void;
  inputRef?: Ref<HTMLInputElement>;
  /** As wide as its place, for a dialog. */
  wide?: boolean;
  /** When a label of its own names the field; without one the field names itself. */
  id?: string;
}) {
  const rest = name.startsWith(typed) ? name.slice(typed.length) : "";
  return (
    <span className={cx("relative max-sm:block", wide ? "block" : "inline-block")}>
      <span aria-hidden className="pointer-events-none absolute inset-y-0 left-[11px] flex items-center font-mono text-12 whitespace-pre text-ink-3 max-sm:text-16">
        <span className="invisible">{typed}</span>{rest}
      </span>
      <Input
        ref={inputRef}
        {...(id ? { id } : { "aria-label": `Type ${name}` })}
        value={typed}
        onChange={(event) => onTyped(event.target.value)}
        onPaste={(event) => event.preventDefault()}
        className={cx("bg-transparent font-mono !text-12 max-sm:w-full max-sm:!text-16", wide ? "w-full" : "!w-[184px]")}
      />
      {typed === name ? <Check size={15} className="absolute top-1/2 right-2.5 -translate-y-1/2 text-create" aria-hidden /> : null}
    </span>
  );
}
