import type { ReactNode } from "react";
import { LinkTabs } from "@/components/ui/tabs";
import { NotificationsTab } from "@/features/settings/notifications/notifications-tab";
import { useMe } from "@/lib/api/session";
import { MembersTab } from "./members-tab";
import { TeamsTab } from "./teams-tab";
import { TokensTab } from "./tokens-tab";
import { WorkersTab } from "./workers-tab";
import { YouTab } from "./you-tab";

export function SettingsView({ tab = "members", notification }: { tab: string | undefined; notification: string | undefined }) {
  const me = useMe();
  const body: Record<string, ReactNode> = { members: <MembersTab />, teams: <TeamsTab />, tokens: <TokensTab />, notifications: <NotificationsTab chosen={notification} />, workers: <WorkersTab />, you: <YouTab /> };
  return (
    <main className="flex min-h-0 grow flex-col">
      <header className="flex min-h-[54px] shrink-0 items-center gap-3 px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">Settings</h1>
        <span className="text-13 text-ink-3">organization {me.organization.name}{me.organization.is_operator ? ", which runs this installation" : ""}</span>
      </header>
      <div className="shrink-0 border-b border-line px-5 max-sm:px-4">
        <LinkTabs label="Settings" items={[{ id: "members", label: "Members" }, { id: "teams", label: "Teams" }, { id: "tokens", label: "Tokens" }, { id: "notifications", label: "Notifications" }, { id: "workers", label: "Workers" }, { id: "you", label: "You" }]} current={tab} linkFor={(next) => ({ to: "/settings", search: next === "members" ? {} : { tab: next } })} />
      </div>
      <div className="min-h-0 grow overflow-auto">{body[tab] ?? body.members}</div>
    </main>
  );
}
