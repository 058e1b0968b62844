import { useQuery } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, Menu as MenuIcon, OctagonX, Search } from "lucide-react";
import { Fragment } from "react";
import { Kbd } from "@/components/ui/kbd";
import { Menu, MenuItem } from "@/components/ui/menu";
import { haltsQuery } from "@/lib/api/halts";
import { useMe } from "@/lib/api/session";
import { useCrumbs } from "@/lib/crumbs";
import { cx } from "@/lib/cx";
import { count } from "@/lib/format";
import { type Live, useLive } from "@/lib/live";
import { NAV } from "./nav-items";
import { UserMenu } from "./user-menu";

function Mark() {
  return (
    <svg viewBox="0 0 16 16" className="size-[18px]" aria-hidden>
      <path fill="currentColor" d="M1.500 1.500H3v13H1.500zM13 1.500h1.500v13H13zM4.200 2h7.600v5.200H4.200zM4.200 8.700h7.600v1.500H4.200zM4.200 11.700h7.600v1.500H4.200z" />
    </svg>
  );
}

function liveWords(live: Live): { text: string; dot: string } {
  switch (live.state) {
    case "live":
      return { text: live.line === undefined ? "Live" : `Live, line ${count(live.line)}`, dot: "bg-mark-create" };
    case "polling":
      return { text: "Polling", dot: "bg-mark-wait" };
    case "behind":
      return { text: `Behind, line ${count(live.line ?? 0)}`, dot: "bg-mark-wait" };
    case "offline":
      return { text: "No connection", dot: "bg-mark-destroy" };
  }
}

function LiveState() {
  const { text, dot } = liveWords(useLive());
  return (
    <span role="status" className="flex shrink-0 items-center gap-2 text-12 text-ink-2">
      <span className={cx("size-[7px] rounded-full", dot)} aria-hidden />
      {text}
    </span>
  );
}

function Crumbs() {
  const crumbs = useCrumbs();
  return (
    <nav aria-label="Breadcrumb" className="min-w-0 max-sm:hidden">
      <ol className="flex min-w-0 items-center gap-2 text-13">
        {crumbs.map((crumb, i) => {
          const last = i === crumbs.length - 1;
          return (
            <Fragment key={`${crumb.label}-${i}`}>
              <li aria-hidden className="text-ctl">/</li>
              <li className={cx("min-w-0 truncate", crumb.code && "font-mono text-12")}>
                {crumb.to && !last ? <Link to={crumb.to} className="text-ink-2 hover:text-ink">{crumb.label}</Link> : <span aria-current="page" className={last && crumbs.length > 1 ? "text-ink" : "text-ink-2"}>{crumb.label}</span>}
              </li>
            </Fragment>
          );
        })}
      </ol>
    </nav>
  );
}

/** On a phone: back to where the page belongs, or the menu of places. */
function PhoneLead() {
  const crumbs = useCrumbs();
  const path = useLocation({ select: (location) => location.pathname });
  const navigate = useNavigate();
  const parent = crumbs.at(-2);
  if (path !== "/" && parent?.to) {
    return (
      <Link to={path.startsWith("/infra/terraform/runs/") ? "/" : parent.to} className="flex h-11 min-w-0 items-center gap-1 text-13 text-ink-2 sm:hidden">
        <ChevronLeft size={16} aria-hidden />
        <span className="truncate">{path.startsWith("/infra/terraform/runs/") ? "Inbox" : parent.label}</span>
      </Link>
    );
  }
  return (
    <div className="flex min-w-0 items-center gap-2 sm:hidden">
      <Menu align="start" label="Places" trigger={<button type="button" aria-label="Places" className="flex size-11 items-center justify-center"><MenuIcon size={18} /></button>}>
        {NAV.map((item) => (
          <MenuItem key={item.to} icon={<item.icon size={16} />} onSelect={() => void navigate({ to: item.to })}>{item.label}</MenuItem>
        ))}
      </Menu>
      <span className="truncate text-13 font-medium">{crumbs.at(-1)?.label}</span>
    </div>
  );
}

export function TopBar({ onPalette, onHalt, onHelp, folded }: { onPalette: () => void; onHalt: () => void; onHelp: () => void; folded: boolean }) {
  const me = useMe();
  const halted = (useQuery(haltsQuery).data?.active.length ?? 0) > 0;
  return (
    <header className="flex h-11 shrink-0 items-center gap-3 border-b border-line bg-surface pr-3 max-sm:h-12 max-sm:pr-2 max-sm:pl-3">
      <Link to="/" aria-label="Sluice, inbox" className="flex w-12 shrink-0 justify-center max-sm:hidden"><Mark /></Link>
      <div className={cx("flex min-w-0 grow items-center gap-2", folded && "-ml-0.5")}>
        <span className="shrink-0 text-13 font-medium max-sm:hidden">{me.organization.name}</span>
        <Crumbs />
        <PhoneLead />
      </div>
      <LiveState />
      <button
        type="button"
        onClick={onPalette}
        className="flex h-7 w-[236px] shrink-0 items-center gap-2 rounded-ctl border border-line-2 bg-surface px-2 text-12 text-ink-2 hover:bg-hover max-lg:w-auto max-sm:hidden"
      >
        <Search size={14} aria-hidden />
        <span className="grow text-left max-lg:sr-only">Search or run a command</span>
        <Kbd>⌘K</Kbd>
      </button>
      <button
        type="button"
        onClick={onHalt}
        className={cx(
          "inline-flex h-7 shrink-0 items-center gap-1.5 rounded-ctl border px-2.5 text-13 font-medium max-sm:h-9",
          halted ? "border-transparent bg-danger text-on-danger" : "border-destroy text-destroy hover:bg-destroy-bg",
        )}
      >
        <OctagonX size={15} aria-hidden />
        {halted ? "Halted" : "Halt"}
      </button>
      <UserMenu onHelp={onHelp} />
    </header>
  );
}
