import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { requestRun, type RunRequest } from "@/lib/api/runs";

/** Asks for a run in a workspace and goes to it. */
export function useRequestRun() {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const ask = useMutation({
    mutationFn: ({ key, ...body }: RunRequest & { key: string }) => requestRun(body, key),
    onSuccess: async (run) => {
      await queryClient.invalidateQueries({ queryKey: keys.workspaces });
      await navigate({ to: "/infra/terraform/runs/$id", params: { id: run.id }, search: {} });
    },
  });
  return {
    busy: ask.isPending,
    error: ask.error ? explain(ask.error) : null,
    reset: ask.reset,
    request: (body: RunRequest) => ask.mutate({ ...body, key: crypto.randomUUID() }),
  };
}
