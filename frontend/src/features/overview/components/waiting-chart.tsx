import { Link } from "@tanstack/react-router";
import type { OverviewHistory } from "@/lib/api/types";
import { cx } from "@/lib/cx";
import { count, span } from "@/lib/format";

type Band = OverviewHistory["waiting"][number];

/** `under 15 min`, `4 to 24 h`, `over 24 h`. */
export function bandName({ from_seconds: from, to_seconds: to }: Pick<Band, "from_seconds" | "to_seconds">): string {
  const words = (seconds: number) => (seconds >= 3600 ? `${seconds / 3600} h` : span(seconds * 1000));
  if (to === null) return `over ${words(from)}`;
  if (from === 0) return `under ${words(to)}`;
  return to <= 3600 ? `${from / 60} to ${to / 60} min` : `${from / 3600} to ${to / 3600} h`;
}

/** Plans that await approval, by how long they have: of the two last bands, who waits longest is named. */
export function WaitingChart({ bands }: { bands: readonly Band[] }) {
  const most = Math.max(1, ...bands.map((band) => band.plans));
  return (
    <ul className="flex flex-col gap-2 text-12">
      {bands.map((band, i) => {
        const late = bands.length - i;
        return (
          <li key={band.from_seconds} className="flex h-6 items-center gap-3">
            <span className="w-[84px] shrink-0 text-ink-2">{bandName(band)}</span>
            <span className="flex min-w-0 grow items-center gap-2">
              {band.plans > 0 ? <span aria-hidden className={cx("h-3.5 min-w-1 shrink-0", late === 1 ? "bg-mark-destroy" : late === 2 ? "bg-mark-wait" : "bg-ink-2")} style={{ width: `${(band.plans / most) * 55}%` }} /> : null}
              <b className="tnum font-semibold">{count(band.plans)}</b>
              {band.run_id && late <= 2 ? <Link to="/infra/terraform/runs/$id" params={{ id: band.run_id }} className="truncate text-ink-2 hover:underline">{band.workspace_name}</Link> : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
