import { cx } from "@/lib/cx";
import { splitAddress } from "@/lib/address";

/**
 * A resource's address: module and type grey, name bold. When it is too long, the type loses its end, never the name.
 */
export function Address({ address, withModule = false, className }: { address: string; withModule?: boolean; className?: string }) {
  const { module, type, name } = splitAddress(address);
  const lead = withModule && module ? `${module}.${type}` : type;
  return (
    <span className={cx("inline-flex max-w-full min-w-0 font-mono text-12 leading-5", className)} title={address}>
      <span className="min-w-6 shrink-[9999] truncate text-ink-2">{lead}</span>
      <span className="shrink-0 text-ink-2">.</span>
      <span className="min-w-0 truncate font-semibold text-ink">{name}</span>
    </span>
  );
}
