import type { ComponentProps, ReactNode } from "react";
import { cx } from "@/lib/cx";

/** A plain table: heads in grey, hairlines between rows, nothing wraps. */
export function Table({ caption, head, children, className }: { caption: string; head: ReactNode; children: ReactNode; className?: string }) {
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="group" aria-label={caption}>
      <table className={cx("w-full border-collapse text-13 [&_td_a]:inline-block [&_td_a]:leading-6 [&_td.truncate_a]:max-w-full [&_td.truncate_a]:truncate [&_td.truncate_a]:align-bottom", className)}>
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr className="h-[30px] border-b border-line bg-canvas text-left text-11 text-ink-3">{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Th({ className, ...rest }: ComponentProps<"th">) {
  return <th scope="col" {...rest} className={cx("px-2 font-normal whitespace-nowrap first:pl-5 last:pr-5", className)} />;
}

export function Tr({ className, ...rest }: ComponentProps<"tr">) {
  return <tr {...rest} className={cx("h-8 border-b border-line hover:bg-hover", className)} />;
}

export function Td({ className, ...rest }: ComponentProps<"td">) {
  return <td {...rest} className={cx("px-2 whitespace-nowrap first:pl-5 last:pr-5", className)} />;
}
