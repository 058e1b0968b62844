import { DropdownMenu as Radix, Popover as RadixPopover } from "radix-ui";
import { Check } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

const PANEL = "z-50 rounded-dialog border border-line bg-raised shadow-lift outline-none";

export function Menu({ trigger, children, align = "end", label }: { trigger: ReactNode; children: ReactNode; align?: "start" | "end"; label?: string }) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content align={align} sideOffset={6} aria-label={label} className={cx(PANEL, "min-w-44 p-1")}>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

const ITEM = "flex h-7 items-center gap-2 rounded-ctl px-2 text-13 outline-none select-none data-[highlighted]:bg-hover data-[disabled]:text-ink-3 max-sm:h-11";

export function MenuItem({ icon, onSelect, disabled, danger, children }: { icon?: ReactNode; onSelect: () => void; disabled?: boolean; danger?: boolean; children: ReactNode }) {
  return (
    <Radix.Item className={cx(ITEM, danger && "text-destroy")} onSelect={onSelect} disabled={disabled ?? false}>
      {icon}
      {children}
    </Radix.Item>
  );
}

export function MenuCheck({ checked, onChange, children }: { checked: boolean; onChange: (on: boolean) => void; children: ReactNode }) {
  return (
    <Radix.CheckboxItem className={ITEM} checked={checked} onCheckedChange={onChange} onSelect={(event) => event.preventDefault()}>
      <span className="w-3.5">{checked ? <Check size={14} /> : null}</span>
      {children}
    </Radix.CheckboxItem>
  );
}

export function MenuChoice<T extends string>({ value, onChange, options }: { value: T; onChange: (value: T) => void; options: readonly { value: T; label: string }[] }) {
  return (
    <Radix.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
      {options.map((option) => (
        <Radix.RadioItem key={option.value} value={option.value} className={ITEM} onSelect={(event) => event.preventDefault()}>
          <span className="w-3.5">{option.value === value ? <Check size={14} /> : null}</span>
          {option.label}
        </Radix.RadioItem>
      ))}
    </Radix.RadioGroup>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <Radix.Label className="px-2 pt-2 pb-1 text-11 text-ink-3">{children}</Radix.Label>;
}

export function MenuLine() {
  return <Radix.Separator className="my-1 h-px bg-line" />;
}

export function Popover({ open, onOpenChange, trigger, label, children, align = "end", className }: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  trigger: ReactNode;
  label: string;
  children: ReactNode;
  align?: "start" | "end";
  className?: string;
}) {
  return (
    <RadixPopover.Root open={open} onOpenChange={onOpenChange}>
      <RadixPopover.Trigger asChild>{trigger}</RadixPopover.Trigger>
      <RadixPopover.Portal>
        <RadixPopover.Content align={align} sideOffset={6} collisionPadding={12} aria-label={label} className={cx(PANEL, "w-[342px] max-w-[calc(100vw-24px)] p-4", className)}>
          {children}
        </RadixPopover.Content>
      </RadixPopover.Portal>
    </RadixPopover.Root>
  );
}
