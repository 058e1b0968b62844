import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "@tanstack/react-router";
import { inboxQuery, inboxTotal } from "@/lib/api/inbox";
import { versionQuery } from "@/lib/api/session";
import { cx } from "@/lib/cx";
import { NAV, placeOf } from "./nav-items";

const ENGINES: Record<string, string> = { tofu: "OpenTofu", terraform: "Terraform" };

export function Nav({ folded }: { folded: boolean }) {
  const here = placeOf(useLocation({ select: (location) => location.pathname }));
  const waiting = inboxTotal(useQuery(inboxQuery).data);
  const version = useQuery(versionQuery).data;
  return (
    <nav aria-label="Main" className={cx("flex shrink-0 flex-col border-r border-line bg-canvas py-2 max-sm:hidden", folded ? "w-12" : "w-[188px] max-lg:w-12")}>
      {NAV.map((item) => {
        const on = item.to === here;
        return (
          <Link
            key={item.to}
            to={item.to}
            aria-current={on ? "page" : undefined}
            title={folded ? item.label : undefined}
            className={cx("relative mx-2 mb-0.5 flex h-[30px] items-center gap-2.5 rounded-ctl px-2 text-13", on ? "bg-selected font-medium text-ink" : "text-ink-2 hover:bg-hover hover:text-ink")}
          >
            <item.icon size={16} strokeWidth={1.7} aria-hidden className="shrink-0" />
            <span className={cx("grow", folded ? "sr-only" : "max-lg:sr-only")}>{item.label}{item.to === "/" && waiting > 0 ? <span className="sr-only">, {waiting} for you</span> : null}</span>
            {item.to === "/" && waiting > 0 ? (
              <>
                <span className={cx("tnum text-12 font-normal text-ink-2", folded ? "hidden" : "max-lg:hidden")} aria-hidden>{waiting}</span>
                <span className={cx("absolute -top-0.5 right-0 flex h-3.5 min-w-3.5 items-center justify-center rounded-full bg-primary px-0.5 text-[9px] leading-none font-semibold text-on-primary", !folded && "lg:hidden")} aria-hidden>{waiting}</span>
              </>
            ) : null}
          </Link>
        );
      })}
      <div className={cx("mt-auto px-4 text-11 text-ink-3", folded ? "hidden" : "max-lg:hidden")}>
        {version ? (
          <>
            <p>Sluice {version.version}</p>
            {version.engine ? <p>{ENGINES[version.engine.kind] ?? version.engine.kind} {version.engine.version}</p> : <p className="text-wait">No engine found</p>}
          </>
        ) : null}
      </div>
    </nav>
  );
}
