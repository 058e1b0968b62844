import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { LinkTabs, Segmented } from "@/components/ui/tabs";
import { drillHistoryQuery, overviewQuery } from "@/features/overview/api/overview";
import { botsHealth, queueHealth } from "@/features/overview/health";
import { serviceAccountsQuery, tokensQuery } from "@/lib/api/accounts";
import { queueQuery } from "@/lib/api/queue";
import { useMay, useMe } from "@/lib/api/session";
import type { HistoryWindow } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { count } from "@/lib/format";
import { BotsTab } from "./bots-tab";
import { CanaryTab } from "./canary-tab";
import { OverviewTab } from "./overview-tab";
import { PipelineTab } from "./pipeline-tab";
import { QueuesTab } from "./queues-tab";

const WINDOWS: readonly { value: HistoryWindow; label: string }[] = [{ value: "24h", label: "24 h" }, { value: "14d", label: "14 days" }, { value: "90d", label: "90 days" }];
const TABS = ["overview", "bots", "queues", "pipeline", "canary"];

/** Everything that moves infrastructure: at a glance, and part by part. Tabs carry their own health. */
export function OverviewView({ tab: asked = "overview", window: askedWindow = "14d" }: { tab?: string | undefined; window?: string | undefined }) {
  const me = useMe();
  const now = useNow(10_000);
  const navigate = useNavigate();
  const tab = TABS.includes(asked) ? asked : "overview";
  const window = WINDOWS.find((each) => each.value === askedWindow)?.value ?? "14d";
  const overview = useQuery(overviewQuery).data;
  const queue = useQuery(queueQuery).data;
  const tokens = useQuery({ ...tokensQuery, enabled: useMay()("tokens:manage") === null }).data?.items;
  const accounts = useQuery(serviceAccountsQuery).data?.items;
  const drill = useQuery({ ...drillHistoryQuery, enabled: useMay()("halt:read") === null }).data?.items[0];
  const alert = (trouble: boolean) => (trouble ? "look" : undefined);
  const items = [
    { id: "overview", label: "Overview" },
    { id: "bots", label: "Bots", ...(accounts ? { count: accounts.length } : {}), ...(tokens ? { alert: alert(botsHealth(tokens, now).trouble) } : {}) },
    { id: "queues", label: "Queues", ...(overview ? { count: `${count(overview.queue_depth)} waiting`, alert: alert(queueHealth(overview, queue).trouble) } : {}) },
    { id: "pipeline", label: "Pipeline", ...(overview ? { count: `${count(overview.running)} running` } : {}) },
    { id: "canary", label: "Canary", ...(drill ? { count: drill.status, alert: drill.status === "failed" ? "failed" : undefined } : {}) },
  ];
  const has = tab === "overview" || tab === "pipeline";
  return (
    <main className="flex min-h-0 grow flex-col overflow-auto">
      <header className="flex min-h-[54px] shrink-0 items-center gap-3 px-5 max-sm:px-4">
        <h1 className="text-16 font-semibold">Infra</h1>
        <span className="mr-auto truncate text-13 text-ink-3 max-sm:hidden">everything that moves infrastructure at {me.organization.name}</span>
        {has ? <Segmented<HistoryWindow> label="Time" value={window} className="max-sm:ml-auto" onChange={(value) => void navigate({ to: "/infra", search: { ...(tab === "overview" ? {} : { tab }), ...(value === "14d" ? {} : { window: value }) }, replace: true })} options={WINDOWS} /> : null}
      </header>
      <div className="shrink-0 border-b border-line px-5 max-sm:px-4">
        <LinkTabs label="Parts of the installation" items={items} current={tab} linkFor={(id) => ({ to: "/infra", search: { ...(id === "overview" ? {} : { tab: id }), ...(window === "14d" ? {} : { window }) } })} />
      </div>
      {tab === "bots" ? <BotsTab /> : tab === "queues" ? <QueuesTab /> : tab === "pipeline" ? <PipelineTab window={window} /> : tab === "canary" ? <CanaryTab /> : <OverviewTab window={window} />}
    </main>
  );
}
