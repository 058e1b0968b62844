import { useSearch } from "@tanstack/react-router";
import { SettingsView } from "@/features/settings/components/settings-view";
import { usePlace } from "@/lib/crumbs";

export function SettingsPage() {
  const { tab, notification } = useSearch({ from: "/shell/settings" });
  usePlace([{ label: "Settings" }]);
  return <SettingsView tab={tab} notification={notification} />;
}
