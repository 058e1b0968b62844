import { queryOptions } from "@tanstack/react-query";
import { http, type Page } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Member, Role, Team, Token } from "@/lib/api/types";

export const membersQuery = queryOptions({ queryKey: keys.members, queryFn: ({ signal }) => http.get<Page<Member>>("/users", { limit: 200 }, signal) });
export const teamsQuery = queryOptions({ queryKey: keys.teams, queryFn: ({ signal }) => http.get<Page<Team>>("/teams", { limit: 200 }, signal) });
export const rolesQuery = queryOptions({ queryKey: ["roles"], queryFn: ({ signal }) => http.get<Role[]>("/roles", undefined, signal), staleTime: Infinity });

export const createMember = (body: { email: string; name: string; roles: string[] }) => http.post<Member & { login_url: string }>("/users", body);
export const changeMember = (id: string, body: { roles?: string[]; is_disabled?: boolean }) => http.patch<Member>(`/users/${id}`, body);
export const newLoginLink = (id: string) => http.post<{ login_url: string; expires_at: string }>(`/users/${id}/login-link`);
export const createTeam = (name: string) => http.post<Team>("/teams", { name });
export const setTeamMember = (team: string, user: string, member: boolean) => (member ? http.put<undefined>(`/teams/${team}/members/${user}`) : http.delete<undefined>(`/teams/${team}/members/${user}`));
export const createToken = (body: { name: string; service_account?: string; permissions?: string[]; expires_at?: string }) => http.post<Token & { token: string }>("/tokens", body);
export const setPassword = (body: { current_password?: string; new_password: string }) => http.put<undefined>("/auth/password", body);
export const revokeToken = (id: string) => http.delete<undefined>(`/tokens/${id}`);
