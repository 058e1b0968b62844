import { http } from "@/lib/api/http";
import type { Me } from "@/lib/api/types";

export async function logIn(email: string, password: string): Promise<Me> {
  return (await http.post<{ user: Me }>("/auth/login", { email, password })).user;
}

/** A link is good once; the second use is refused. */
export async function enterByLink(token: string): Promise<Me> {
  return (await http.post<{ user: Me }>("/auth/link", { token })).user;
}
