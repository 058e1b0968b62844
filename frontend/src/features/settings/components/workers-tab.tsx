import { WorkersTable } from "@/components/domain/workers";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Field, Input, Select } from "@/components/ui/field";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { type QueueLimit, queueQuery, setQueueLimit, workersQuery } from "@/lib/api/queue";
import { useMay } from "@/lib/api/session";
import type { Queue } from "@/lib/api/types";
import { count } from "@/lib/format";

type Choice = "default" | "none" | "own";

/** How many runs execute at once, and where. */
export function WorkersTab() {
  const why = useMay()("organization:manage");
  const queue = useQuery(queueQuery);
  const workers = useQuery({ ...workersQuery, enabled: !why });
  return (
    <>
      {queue.data ? <LimitForm key={`${queue.data.is_default} ${queue.data.own_limit}`} queue={queue.data} blocked={why} /> : <Skeleton rows={2} />}
      {why ? <Empty title="The workers are shown to admins.">{why}</Empty> : workers.error ? <Empty title="The workers could not be read.">{explain(workers.error)}</Empty> : workers.data ? <WorkersTable workers={workers.data.items} /> : <Skeleton rows={3} />}
    </>
  );
}

function LimitForm({ queue, blocked }: { queue: Queue; blocked: string | null }) {
  const queryClient = useQueryClient();
  const saved: Choice = queue.is_default ? "default" : queue.own_limit === null ? "none" : "own";
  const [choice, setChoice] = useState<Choice>(saved);
  const [number, setNumber] = useState(String(queue.own_limit ?? queue.default_limit ?? 10));
  const wanted: QueueLimit = choice === "default" ? { is_default: true } : { own_limit: choice === "none" ? null : Number(number) };
  const wrong = choice === "own" && !(Number.isInteger(Number(number)) && Number(number) > 0) ? "Give a whole number above 0" : null;
  const isSaved = choice === saved && (choice !== "own" || Number(number) === queue.own_limit);
  const save = useMutation({ mutationFn: () => setQueueLimit(wanted), onSuccess: (data) => queryClient.setQueryData(keys.queue, data) });
  return (
    <form aria-label="Limit" className="flex flex-wrap items-end gap-x-4 gap-y-2 border-b border-line px-5 py-3" onSubmit={(event) => { event.preventDefault(); if (!blocked && !wrong && !isSaved) save.mutate(); }}>
      <div className="w-64">
        <Field label="Runs of this organization at once">
          {(ids) => (
            <Select {...ids} value={choice} disabled={Boolean(blocked)} onChange={(event) => setChoice(event.target.value as Choice)}>
              <option value="default">{queue.default_limit === null ? "The default: any number" : `The default: at most ${queue.default_limit}`}</option>
              <option value="none">Any number</option>
              <option value="own">At most …</option>
            </Select>
          )}
        </Field>
      </div>
      {choice === "own" ? <div className="w-24"><Input aria-label="At most" type="number" min={1} step={1} value={number} disabled={Boolean(blocked)} onChange={(event) => setNumber(event.target.value)} /></div> : null}
      <Button type="submit" size={32} blocked={blocked ?? wrong ?? (isSaved ? "Nothing to save" : null)}>Save</Button>
      <p className="grow basis-72 pb-1.5 text-12 text-ink-2" role="status">
        {save.error ? <span className="text-destroy">{explain(save.error)}</span> : `${count(queue.executing)} at work${queue.effective_limit === null ? "" : ` of at most ${count(queue.effective_limit)}`}, ${count(queue.queued)} waiting. Applies go before plans; workspaces take turns.`}
      </p>
    </form>
  );
}
