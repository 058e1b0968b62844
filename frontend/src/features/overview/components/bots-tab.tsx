import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ago } from "@/components/domain/ago";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { endsSoon, liveTokens } from "@/features/overview/health";
import { serviceAccountsQuery, tokensQuery } from "@/lib/api/accounts";
import { explain } from "@/lib/api/http";
import { useMay } from "@/lib/api/session";
import type { Token } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { count, plural, span } from "@/lib/format";

const newest = (tokens: readonly Token[]): string | null => tokens.map((token) => token.last_used_at).filter((at) => at !== null).sort().at(-1) ?? null;

/** What the account's tokens may do together: all that it may, as soon as one is not narrowed. */
function rightsOf(tokens: readonly Token[]): string {
  if (tokens.some((token) => token.permissions === null)) return "all of its roles'";
  return `only ${plural(new Set(tokens.flatMap((token) => token.permissions ?? [])).size, "right")}`;
}

/** Automation and AI agents: which are there, with how many tokens, when they were last heard of, and when they fall silent. */
export function BotsTab() {
  const now = useNow(10_000);
  const why = useMay()("tokens:manage");
  const accounts = useQuery(serviceAccountsQuery);
  const tokens = useQuery({ ...tokensQuery, enabled: why === null });
  const error = accounts.error ?? tokens.error;
  if (error) return <Empty title="The service accounts could not be read."><p role="alert">{explain(error)}</p></Empty>;
  if (!accounts.data || (why === null && !tokens.data)) return <Skeleton rows={5} />;
  const live = liveTokens(tokens.data?.items ?? [], now);
  if (accounts.data.items.length === 0) return <Empty title="No service account.">CI, bots and AI agents get one of their own: <code>sluice service-account create ci --role planner</code>.</Empty>;
  return (
    <>
      <p className="flex items-center gap-3 border-b border-line px-5 py-2.5 text-12 text-ink-2">
        None of these approves, overrides or changes the gate&apos;s rules.{why ? " Their tokens are shown to those who manage tokens." : null}
        {why ? null : <Link to="/settings" search={{ tab: "tokens" }} className="link ml-auto">Tokens</Link>}
      </p>
      <Table caption="Service accounts" head={<><Th>Name</Th><Th>Roles</Th>{why ? null : <><Th>Tokens</Th><Th className="max-md:hidden">Rights</Th><Th>Last used</Th><Th>Next to end</Th></>}</>}>
        {accounts.data.items.map((account) => {
          const held = live.get(account.id) ?? [];
          const soon = endsSoon(held, now);
          const ends = held.map((token) => token.expires_at).filter((at) => at !== null).sort().at(0);
          const used = newest(held);
          return (
            <Tr key={account.id}>
              <Td className="font-medium">{account.name} {account.is_agent ? <Tag>AI agent</Tag> : null} {account.is_disabled ? <Tag tone="destroy">disabled</Tag> : null}</Td>
              <Td className="text-ink-2">{account.roles.join(", ")}</Td>
              {why ? null : (
                <>
                  <Td>{held.length === 0 ? <span className="text-ink-3">none</span> : count(held.length)}</Td>
                  <Td className="text-ink-2 max-md:hidden">{held.length === 0 ? "" : rightsOf(held)}</Td>
                  <Td className="text-12 text-ink-3">{used ? <Ago iso={used} now={now} suffix=" ago" /> : held.length > 0 ? "never" : ""}</Td>
                  <Td className={soon ? "text-12 text-replace" : "text-12 text-ink-3"}>{ends ? `in ${span(Date.parse(ends) - now)}` : held.length > 0 ? "never" : ""}</Td>
                </>
              )}
            </Tr>
          );
        })}
      </Table>
    </>
  );
}
