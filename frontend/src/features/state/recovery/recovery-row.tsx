import { Link } from "@tanstack/react-router";
import { Address } from "@/components/domain/address";
import { Tag } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { outcomeWords } from "@/lib/api/recovery";
import type { RecoveryItem } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment, shortId } from "@/lib/format";
import { providerName } from "@/lib/state-words";
import { CopyButton } from "./copy-button";

const TONES = { created: "create", unknown: "wait", destroyed: "destroy" } as const;

/** One item: what is known, the import block, what to look at, and how it was settled. */
export function RecoveryRow({ item, blocked, onDismiss }: { item: RecoveryItem; blocked: string | null; onDismiss: () => void }) {
  const now = useNow();
  const open = item.status === "open";
  return (
    <li className="border-b border-line px-5 py-3 max-sm:px-4">
      <div className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1">
        <Tag tone={open ? TONES[item.outcome] : "plain"}>{outcomeWords(item)}</Tag>
        <Address address={item.address} withModule />
        {item.provider ? <span className="text-12 text-ink-3">{providerName(item.provider)}</span> : null}
        <span className="ml-auto flex items-center gap-2.5 text-12 text-ink-3">
          <Link to="/infra/terraform/runs/$id" params={{ id: item.run_id }} className="font-mono hover:underline">{shortId(item.run_id)}</Link>
          <span>{moment(item.started_at ?? item.created_at, now)}</span>
          {open ? <Button size={26} blocked={blocked} onClick={onDismiss}>Dismiss…</Button> : null}
        </span>
      </div>
      <p className="mt-1 max-w-[90ch] text-12 text-ink-2">{item.reason}{item.resource_id ? <> The provider calls it <code className="font-mono text-ink select-all">{item.resource_id}</code>.</> : null}</p>
      {open && item.check ? <p className="mt-1 max-w-[90ch] text-13">{item.check}</p> : null}
      {open && (item.import_block ?? item.import_template) ? <Block item={item} /> : null}
      {open ? null : <p className="mt-1 text-12 text-ink-2">{settled(item, now)}</p>}
    </li>
  );
}

function Block({ item }: { item: RecoveryItem }) {
  const text = item.import_block ?? item.import_template ?? "";
  return (
    <div className="mt-2 flex max-w-[90ch] items-start gap-3 rounded-chip border border-line bg-canvas py-2 pr-2 pl-3">
      <pre className="min-w-0 grow overflow-x-auto font-mono text-12 leading-5" tabIndex={0} aria-label={`Import block of ${item.address}`}>{text.trimEnd()}</pre>
      <CopyButton text={text} label={item.import_block ? "Copy" : "Copy, then fill in the id"} />
    </div>
  );
}

function settled(item: RecoveryItem, now: number): string {
  const when = item.decided_at ? moment(item.decided_at, now) : "";
  if (item.status === "dismissed") return `Dismissed by ${item.decided_by?.name ?? "somebody"}, ${when}: “${item.decision_reason ?? ""}”`;
  return `${item.change === "delete" ? "The state no longer lists it" : "A state knows it"}, since ${when}.`;
}
