/** What of the policies pages is in the address. */
export interface PoliciesSearch {
  tab?: string;
  set?: string;
  attachment?: string;
  rehearsal?: string;
}

export interface DraftSearch {
  draft?: string;
  side?: string;
  run?: string;
  rehearsal?: string;
}

export const policiesLink = (search: PoliciesSearch) => ({ to: "/infra/terraform/policies" as const, search });
export const draftLink = (search: DraftSearch) => ({ to: "/infra/terraform/policies/draft" as const, search });
