import { useNavigate, useSearch } from "@tanstack/react-router";
import { InboxView } from "@/features/inbox/components/inbox-view";
import { usePlace } from "@/lib/crumbs";

export function InboxPage() {
  const { view } = useSearch({ from: "/shell/" });
  const navigate = useNavigate();
  usePlace([{ label: "Inbox" }]);
  return <InboxView view={view === "all" || view === "snoozed" ? view : "you"} onView={(next) => void navigate({ to: "/", search: next === "you" ? {} : { view: next }, replace: true })} />;
}
