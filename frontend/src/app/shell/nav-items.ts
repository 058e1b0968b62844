import { Activity, Database, Inbox, Layers, LayoutList, ScrollText, ShieldCheck, SlidersHorizontal } from "lucide-react";

/** The places of the site, in the order of the navigation, the palette and the phone's menu. */
export const NAV = [
  { to: "/", label: "Inbox", icon: Inbox, keys: "G I" },
  { to: "/infra", label: "Infra", icon: Activity, keys: "G O" },
  { to: "/infra/terraform", label: "Workspaces", icon: LayoutList, keys: "G W" },
  { to: "/infra/terraform/stacks", label: "Stacks", icon: Layers, keys: "G S" },
  { to: "/infra/terraform/policies", label: "Policies", icon: ShieldCheck, keys: "G P" },
  { to: "/infra/terraform/state", label: "State", icon: Database, keys: "G T" },
  { to: "/audit", label: "Audit", icon: ScrollText, keys: "G A" },
  { to: "/settings", label: "Settings", icon: SlidersHorizontal, keys: "" },
] as const;

/** Which place an address belongs to. */
export function placeOf(path: string): (typeof NAV)[number]["to"] | null {
  if (path === "/") return "/";
  if (path.startsWith("/infra/terraform/stacks")) return "/infra/terraform/stacks";
  if (path.startsWith("/infra/terraform/policies")) return "/infra/terraform/policies";
  if (path.startsWith("/infra/terraform/state")) return "/infra/terraform/state";
  if (path.startsWith("/infra/terraform")) return "/infra/terraform";
  if (path.startsWith("/infra")) return "/infra";
  if (path.startsWith("/audit")) return "/audit";
  if (path.startsWith("/settings")) return "/settings";
  return null;
}
