import type { ReactNode } from "react";

/** One figure of the page: what it is, over what, and the figure. */
export function Panel({ title, aside, children, foot }: { title: string; aside?: ReactNode; children: ReactNode; foot?: ReactNode }) {
  return (
    <section aria-label={title} className="flex min-w-0 flex-col border-r border-line px-5 py-3 last:border-r-0 max-lg:border-r-0 max-lg:border-b max-lg:last:border-b-0">
      <h2 className="mb-2 flex items-baseline justify-between gap-3 text-13 font-semibold">{title}<span className="text-12 font-normal text-ink-3">{aside}</span></h2>
      <div className="flex min-h-0 grow flex-col">{children}</div>
      {foot ? <div className="mt-2 text-12 text-ink-2">{foot}</div> : null}
    </section>
  );
}
