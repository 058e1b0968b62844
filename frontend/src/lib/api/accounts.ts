import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "./http";
import { keys } from "./keys";
import type { ServiceAccount, Token } from "./types";

export const serviceAccountsQuery = queryOptions({ queryKey: [...keys.members, "service-accounts"], queryFn: ({ signal }) => http.get<Page<ServiceAccount>>("/service-accounts", { limit: 200 }, signal) });
export const tokensQuery = queryOptions({ queryKey: keys.tokens, queryFn: ({ signal }) => http.get<Page<Token>>("/tokens", { limit: 200 }, signal) });
