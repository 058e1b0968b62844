import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

interface FigureProps {
  label: string;
  value: string;
  unit: string;
  note: ReactNode;
  trouble?: boolean;
  /** The tab that says more; none where nothing does. */
  tab?: string;
}

/** A number that says how a part does, and leads to it. */
export function Figure({ label, value, unit, note, trouble = false, tab }: FigureProps) {
  const title = <>{label}{trouble ? <TriangleAlert size={13} className="text-replace" aria-label="needs a look" /> : null}</>;
  return (
    <div className="min-w-[150px] grow basis-0 border-r border-line px-5 py-3 last:border-r-0 max-sm:border-b">
      <h2 className="text-13 font-semibold">{tab ? <Link to="/infra" search={{ tab }} className="inline-flex items-center gap-1.5 hover:underline">{title}</Link> : <span className="inline-flex items-center gap-1.5">{title}</span>}</h2>
      <p className="mt-1"><span className="text-20 font-semibold">{value}</span> <span className="text-13 text-ink-2">{unit}</span></p>
      <p className={cx("text-12", trouble ? "text-replace" : "text-ink-2")}>{note}</p>
    </div>
  );
}
