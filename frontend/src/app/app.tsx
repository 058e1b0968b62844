import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useMemo } from "react";
import { ApiError, onSignedOut } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { makeRouter } from "./router";

function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        // A refusal is an answer; only silence and the server's own trouble are worth another try.
        retry: (failures, error) => !(error instanceof ApiError && error.status >= 400 && error.status < 500) && failures < 2,
        refetchOnWindowFocus: true,
      },
    },
  });
}

export function App() {
  const queryClient = useMemo(() => makeQueryClient(), []);
  const router = useMemo(() => makeRouter(queryClient), [queryClient]);
  useEffect(
    () =>
      onSignedOut(() => {
        if (router.state.location.pathname.startsWith("/login")) return;
        queryClient.removeQueries({ queryKey: keys.me });
        void router.navigate({ to: "/login", search: { next: router.state.location.href } });
      }),
    [router, queryClient],
  );
  return (
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  );
}
