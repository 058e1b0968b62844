import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { setTransport } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Me } from "@/lib/api/types";
import { me } from "./fixtures/people";
import { mockFetch } from "./mock-api";

export interface Asked {
  method: string;
  path: string;
  body: unknown;
}

/**
 * Renders a part of the page as a person sees it: signed in, with the fixtures' API. `answers` come before the
 * fixtures (`"POST /terraform/…"` to what is answered); `asked` holds every request that was made.
 */
export async function renderPage(ui: ReactNode, { person = me, answers = {} }: { person?: Me; answers?: Record<string, unknown> } = {}) {
  const asked: Asked[] = [];
  // The router puts the page back where it was; jsdom has no page to move.
  window.scrollTo = () => undefined;
  setTransport((input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input), "http://mock.invalid");
    const method = init?.method ?? "GET";
    asked.push({ method, path: url.pathname + url.search, body: typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : init?.body });
    const key = `${method} ${url.pathname}`;
    if (!(key in answers)) return mockFetch(input, init);
    const answer = answers[key];
    if (answer instanceof Response) return Promise.resolve(answer.clone());
    return Promise.resolve(answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer));
  });
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false, refetchInterval: false } } });
  queryClient.setQueryData(keys.me, person);
  const root = createRootRoute();
  const any = createRoute({ getParentRoute: () => root, path: "$", component: () => ui });
  const router = createRouter({ routeTree: root.addChildren([any]), history: createMemoryHistory({ initialEntries: ["/here"] }) });
  await router.load();
  // The types of the app's own router are registered; this one only stands in for it.
  const Provider = RouterProvider as unknown as (props: { router: unknown }) => ReactNode;
  const view = render(<QueryClientProvider client={queryClient}><Provider router={router} /></QueryClientProvider>);
  return { ...view, asked, router, queryClient };
}
