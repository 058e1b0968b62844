/** What of a workspace's state an address shows. */
export interface StateSearch {
  /** A version's page. */
  version?: string;
  /** Its part: resources or outputs. */
  part?: string;
  /** Two versions to compare, by id: from, to. */
  a?: string;
  b?: string;
  /** `quarantine`, or the id of a quarantined state. */
  held?: string;
  /** `resources`: what applies may have left that no state knows. */
  left?: string;
}

/** The address of a part of a workspace's state. */
export function stateLink(workspace: string, search: StateSearch = {}) {
  return { to: "/infra/terraform/workspaces/$id" as const, params: { id: workspace }, search: { tab: "state", ...search } };
}
