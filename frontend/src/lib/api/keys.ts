/** Query keys, in one place, so that a mutation anywhere can say what it made old. */
export const keys = {
  me: ["me"] as const,
  version: ["version"] as const,
  inbox: ["inbox"] as const,
  halts: ["halts"] as const,
  workspaces: ["workspaces"] as const,
  workspace: (id: string) => ["workspace", id] as const,
  runs: ["runs"] as const,
  run: (id: string) => ["run", id] as const,
  plan: (id: string) => ["run", id, "plan"] as const,
  stacks: ["stacks"] as const,
  stack: (id: string) => ["stack", id] as const,
  members: ["members"] as const,
  teams: ["teams"] as const,
  tokens: ["tokens"] as const,
  audit: ["audit"] as const,
  overview: ["overview"] as const,
};
