import type { PolicyAttachment } from "@/lib/api/types";

type SourceKind = "shipped" | "uploaded" | "git";

export function sourceKind(uri: string): SourceKind {
  if (uri.startsWith("upload:")) return "uploaded";
  return uri.startsWith("git") ? "git" : "shipped";
}

/** What an attachment binds, in words. */
export function bound(attachment: Pick<PolicyAttachment, "workspace" | "tag">): string {
  if (attachment.workspace) return `workspace ${attachment.workspace.name}`;
  return attachment.tag ? `tag ${attachment.tag}` : "the organization";
}

export interface Standing {
  state: "newest" | "newer" | "fixed" | "ask" | "gone";
  /** The digest of what a sync would pin, where it is known. */
  newest: string | null;
}

/**
 * Whether there is something newer than what an attachment is pinned to. An upload never moves; of git the periodic look
 * says what it found; a set that lies on the server is compared by its digest, which is of now.
 */
export function standing(attachment: Pick<PolicyAttachment, "policy_set_uri" | "bundle_digest"> & Partial<Pick<PolicyAttachment, "newer">>, sets: readonly { uri: string; bundle_digest: string | null }[]): Standing {
  const kind = sourceKind(attachment.policy_set_uri);
  if (kind === "uploaded") return { state: "fixed", newest: null };
  const found = attachment.newer?.bundle_digest;
  const looked: Standing = found && found !== attachment.bundle_digest ? { state: "newer", newest: found } : { state: "ask", newest: null };
  if (kind === "git") return looked;
  const set = sets.find((each) => each.uri === attachment.policy_set_uri);
  // A file within a set is no set of the list.
  if (!set) return attachment.policy_set_uri.split("/").length > 2 ? looked : { state: "gone", newest: null };
  if (set.bundle_digest === null) return { state: "gone", newest: null };
  return set.bundle_digest === attachment.bundle_digest ? { state: "newest", newest: set.bundle_digest } : { state: "newer", newest: set.bundle_digest };
}
