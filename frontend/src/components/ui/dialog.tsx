import { Dialog as Radix } from "radix-ui";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";
import { IconButton } from "./button";

/** A modal dialog. Focus stays inside, Esc closes, and it comes back to where it was. */
export function Dialog({ open, onOpenChange, title, aside, description, wide = false, footer, children }: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  aside?: ReactNode;
  description?: ReactNode;
  wide?: boolean;
  footer?: ReactNode;
  children: ReactNode;
}) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Radix.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          className={cx(
            "fixed top-[11vh] left-1/2 z-50 flex max-h-[84vh] w-[calc(100vw-24px)] -translate-x-1/2 flex-col rounded-dialog border border-line bg-raised shadow-lift outline-none max-sm:top-3 max-sm:max-h-[96vh]",
            wide ? "max-w-[1180px]" : "max-w-[480px]",
          )}
        >
          <header className="flex min-h-12 items-center gap-3 border-b border-line py-2 pr-3 pl-5">
            <Radix.Title className="flex items-center gap-2 text-16 font-semibold">{title}</Radix.Title>
            <div className="flex grow items-center justify-end text-12 text-ink-3">{aside}</div>
            <Radix.Close asChild><IconButton label="Close"><X size={15} /></IconButton></Radix.Close>
          </header>
          {description ? <Radix.Description className="px-5 pt-3 text-13 text-ink-2">{description}</Radix.Description> : null}
          <div className="min-h-0 grow overflow-auto">{children}</div>
          {footer ? <footer className="flex flex-wrap items-center justify-end gap-2 border-t border-line px-5 py-3">{footer}</footer> : null}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
