import { Outlet, useMatches, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { HaltBanner } from "@/features/halt/components/banner";
import { HaltDialog } from "@/features/halt/components/dialog";
import { useFollowedHalts } from "@/features/halt/hooks";
import { useChords, useKeys } from "@/lib/keys";
import { PagePending } from "@/app/fallbacks";
import { Nav } from "./nav";
import { Shortcuts } from "./shortcuts";
import { TopBar } from "./top-bar";

const loadPalette = () => import("./palette");
const Palette = lazy(loadPalette);

/** What stands on every page: top bar, halt banner, navigation; and the keys that work everywhere. */
export function Shell() {
  const navigate = useNavigate();
  const folded = useMatches().some((match) => match.staticData.foldNav);
  const [open, setOpen] = useState<"palette" | "halt" | "help" | null>(null);
  const toggle = (name: "palette" | "halt" | "help") => (on: boolean) => setOpen(on ? name : null);
  useFollowedHalts();
  useEffect(() => {
    // Ready before it is asked for: what is typed at once belongs into it. A failure comes back when it is opened.
    loadPalette().catch(() => undefined);
  }, []);
  useChords();
  useKeys({
    "mod+k": () => setOpen("palette"),
    "?": () => setOpen("help"),
    "shift+h": () => setOpen("halt"),
    "g i": () => void navigate({ to: "/" }),
    "g w": () => void navigate({ to: "/infra/terraform" }),
    "g s": () => void navigate({ to: "/infra/terraform/stacks" }),
    "g p": () => void navigate({ to: "/infra/terraform/policies" }),
    "g t": () => void navigate({ to: "/infra/terraform/state" }),
    "g o": () => void navigate({ to: "/infra" }),
    "g a": () => void navigate({ to: "/audit" }),
  });
  return (
    <div className="flex h-full flex-col">
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:bg-raised focus:p-2">Skip to content</a>
      <TopBar onPalette={() => setOpen("palette")} onHalt={() => setOpen("halt")} onHelp={() => setOpen("help")} folded={folded} />
      <HaltBanner onShow={() => setOpen("halt")} />
      <div className="flex min-h-0 grow">
        <Nav folded={folded} />
        <div id="content" tabIndex={-1} className="flex min-w-0 grow flex-col outline-none">
          <Suspense fallback={<PagePending />}>
            <Outlet />
          </Suspense>
        </div>
      </div>
      <HaltDialog open={open === "halt"} onOpenChange={toggle("halt")} />
      <Shortcuts open={open === "help"} onOpenChange={toggle("help")} />
      {open === "palette" ? (
        // A dialog from the first moment: until its code is there, no letter may act on the page behind it.
        <Suspense fallback={<div role="dialog" aria-label="Search or run a command" aria-busy />}>
          <Palette onClose={() => setOpen(null)} onHalt={() => setOpen("halt")} />
        </Suspense>
      ) : null}
    </div>
  );
}
