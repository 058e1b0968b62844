import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { ReasonDialog, type ReasonAsk } from "@/components/ui/reason-dialog";
import { Segmented } from "@/components/ui/tabs";
import { stateLink } from "@/features/state/search";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { dismissRecoveryItem, importBlocks, recoveryQuery } from "@/lib/api/recovery";
import { useMay } from "@/lib/api/session";
import type { RecoveryItem, Workspace } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { CopyButton } from "./copy-button";
import { RecoveryRow } from "./recovery-row";

type Show = "open" | "all";

/** What applies of the workspace may have left that no state knows: import blocks, what to check, and the decision. */
export function RecoveryView({ workspace }: { workspace: Workspace }) {
  const [show, setShow] = useState<Show>("open");
  const [ask, setAsk] = useState<ReasonAsk | null>(null);
  const blocked = useMay()("state:write");
  const queryClient = useQueryClient();
  const pages = useInfiniteQuery(recoveryQuery(workspace.id, show === "open" ? "open" : null));
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const open = items.filter((item) => item.status === "open");
  const ready = open.filter((item) => item.import_block !== null);
  const dismiss = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) => dismissRecoveryItem(id, reason),
    onSuccess: () => Promise.all([keys.recovery, keys.inbox, keys.overview, keys.workspaces].map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
  const askDismiss = (item: RecoveryItem) => {
    dismiss.reset();
    setAsk({
      title: `Dismiss ${item.address}`, description: "Takes it off the list. Dismiss what does not exist, what you deleted, or what is looked after elsewhere.", label: "Why (kept in the audit trail)", required: true, confirm: "Dismiss it", danger: false,
      act: (reason) => dismiss.mutateAsync({ id: item.id, reason }),
    });
  };
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-11 shrink-0 flex-wrap items-center gap-3 border-b border-line px-5 py-1.5 max-sm:px-4">
        <Link {...stateLink(workspace.id)} className="inline-flex h-6 items-center gap-1 text-12 text-ink-2 hover:text-ink"><ChevronLeft size={14} aria-hidden />Versions</Link>
        <h2 className="text-13 font-semibold">Recovery list</h2>
        <span className="text-12 text-ink-3">{open.length > 0 ? `${open.length}${pages.hasNextPage ? "+" : ""} open, ${ready.length} ready to import` : ""}</span>
        <div className="ml-auto flex items-center gap-2">
          {open.length > 0 ? <CopyButton text={importBlocks(open)} label={ready.length > 0 ? `Copy ${plural(ready.length, "import block")}` : "Copy import blocks"} blocked={ready.length > 0 ? null : "No id is known yet: look the resources up first"} /> : null}
          <Segmented<Show> label="Show" value={show} onChange={setShow} options={[{ value: "open", label: "Open" }, { value: "all", label: "All" }]} />
        </div>
      </header>
      {open.length > 0 ? (
        <p className="shrink-0 border-b border-line bg-replace-bg px-5 py-2 text-12 text-ink max-sm:px-4">
          An apply ended before its state was stored. Paste the import blocks into the configuration, plan, and apply: each item goes by itself once the state holds it. Planning again without them makes what is here a second time.
        </p>
      ) : null}
      {pages.isPending ? <Skeleton rows={4} /> : null}
      {pages.error && !pages.data ? <Empty title="The recovery list could not be read."><p role="alert">{explain(pages.error)}</p></Empty> : null}
      {pages.data && items.length === 0 ? (
        <Empty title={show === "open" ? "Nothing is missing." : "No apply ever left anything behind here."}>A state knows everything that the workspace&apos;s applies made. Should one be killed before its state is stored, what it had made is listed here with its id, and what it had begun with what to look for.</Empty>
      ) : null}
      {items.length > 0 ? (
        <div className="min-h-0 grow overflow-auto" tabIndex={-1}>
          <ul aria-label="Resources">{items.map((item) => <RecoveryRow key={item.id} item={item} blocked={blocked} onDismiss={() => askDismiss(item)} />)}</ul>
          {pages.hasNextPage ? <div className="px-5 py-3"><Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>Show older ones</Button></div> : null}
        </div>
      ) : null}
      <ReasonDialog ask={ask} onClose={() => setAsk(null)} error={dismiss.error ? explain(dismiss.error) : null} />
    </div>
  );
}
