import type { Overview, Queue, Token } from "@/lib/api/types";
import { span } from "@/lib/format";

const SOON_MS = 7 * 86_400_000;
const STUCK_SECONDS = 60;

/** How a part does, in a few words; `trouble` where somebody should look. */
export interface Health {
  note: string;
  trouble: boolean;
}

/** Tokens of service accounts that work, by account. */
export function liveTokens(tokens: readonly Token[], now: number): Map<string, Token[]> {
  const found = new Map<string, Token[]>();
  for (const token of tokens) {
    if (token.owner.kind === "person" || token.revoked_at !== null || (token.expires_at !== null && Date.parse(token.expires_at) <= now)) continue;
    found.set(token.owner.id, [...(found.get(token.owner.id) ?? []), token]);
  }
  return found;
}

/** The token that ends first, where that is within a week. */
export function endsSoon(tokens: Iterable<Token>, now: number): Token | null {
  const soon = [...tokens].filter((token) => token.expires_at !== null && Date.parse(token.expires_at) - now < SOON_MS);
  return soon.sort((a, b) => Date.parse(a.expires_at ?? "") - Date.parse(b.expires_at ?? "")).at(0) ?? null;
}

export function botsHealth(tokens: readonly Token[], now: number): Health {
  const live = liveTokens(tokens, now);
  if (live.size === 0) return { note: "no bot has a token", trouble: false };
  const soon = endsSoon([...live.values()].flat(), now);
  return soon ? { note: `${soon.owner.name}'s token ends in ${span(Date.parse(soon.expires_at ?? "") - now)}`, trouble: true } : { note: "no token ends within a week", trouble: false };
}

export function queueHealth(overview: Overview, queue: Queue | undefined): Health {
  if (queue?.workers.count === 0) return { note: "no worker was heard of", trouble: true };
  const oldest = overview.oldest_queued_seconds;
  const workers = queue ? `, workers ${queue.workers.busy} of ${queue.workers.concurrency}` : "";
  return { note: `${oldest === null ? "nothing waits" : `oldest ${span(oldest * 1000)}`}${workers}`, trouble: (oldest ?? 0) > STUCK_SECONDS };
}
