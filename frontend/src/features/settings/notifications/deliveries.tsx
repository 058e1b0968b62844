import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Empty, Fact, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import type { Delivery, Notification } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment } from "@/lib/format";
import { deliveriesQuery, redeliver } from "./api";
import { DeliveryState } from "./state";
import { aboutWords, answerWords, runOf } from "./words";

function whyNot(notification: Notification, delivery: Delivery): string | null {
  if (!notification.is_enabled && delivery.event !== "test") return "The destination is disabled: it would be dropped";
  return null;
}

const againWord = (delivery: Delivery) => (delivery.status === "pending" ? "Send now" : "Send again");

/** What was sent to a destination in the last 30 days, and what came of it. */
export function Deliveries({ notification }: { notification: Notification }) {
  const now = useNow(1_000);
  const queryClient = useQueryClient();
  const query = useInfiniteQuery(deliveriesQuery(notification.id));
  const [open, setOpen] = useState<string | null>(null);
  const again = useMutation({ mutationFn: redeliver, onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.notification(notification.id) }) });
  if (query.isPending) return <Skeleton rows={6} />;
  if (query.error && !query.data) return <Empty title="The deliveries could not be read."><p role="alert">{explain(query.error)}</p></Empty>;
  const rows = query.data.pages.flatMap((page) => page.items);
  if (rows.length === 0) return <Empty title="Nothing was sent yet.">A test shows whether it arrives. Deliveries are kept for 30 days.</Empty>;
  return (
    <>
      {again.error ? <p role="alert" className="border-b border-line bg-destroy-bg px-5 py-2 text-12 text-destroy">{explain(again.error)}</p> : null}
      <Table caption="Deliveries" className="table-fixed max-md:table-auto" head={<><Th className="w-36">When</Th><Th className="w-20">Event</Th><Th className="max-md:hidden">About</Th><Th className="w-48">Status</Th><Th className="w-20 text-right max-md:hidden">Attempts</Th><Th className="w-80 max-md:hidden">Answer</Th><Th className="w-32 max-md:hidden"><span className="sr-only">Actions</span></Th></>}>
        {rows.map((delivery) => (
          <Tr key={delivery.id}>
            <Td className="tnum text-12 text-ink-2"><button type="button" className="hover:underline" onClick={() => setOpen(delivery.id)} aria-label={`Delivery of ${moment(delivery.created_at, now)}`}><time dateTime={delivery.created_at}>{moment(delivery.created_at, now)}</time></button></Td>
            <Td>{delivery.event}</Td>
            <Td className="truncate text-ink-2 max-md:hidden" title={aboutWords(delivery)}>{aboutWords(delivery)}</Td>
            <Td className="text-12"><DeliveryState delivery={delivery} now={now} /></Td>
            <Td className="tnum text-right text-12 text-ink-2 max-md:hidden">{delivery.attempts}</Td>
            <Td className="truncate text-12 text-ink-2 max-md:hidden" title={delivery.response ?? delivery.error ?? undefined}>{answerWords(delivery)}{delivery.response ? <span className="ml-2 font-mono text-11 text-ink-3">{delivery.response}</span> : null}</Td>
            <Td className="text-right max-md:hidden"><Button size={24} blocked={whyNot(notification, delivery)} disabled={again.isPending} onClick={() => again.mutate(delivery.id)}>{againWord(delivery)}</Button></Td>
          </Tr>
        ))}
      </Table>
      {query.hasNextPage ? <div className="p-4"><Button disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Older deliveries</Button></div> : null}
      <One notification={notification} delivery={rows.find((each) => each.id === open) ?? null} isBusy={again.isPending} onAgain={again.mutate} onClose={() => setOpen(null)} />
    </>
  );
}

/** One delivery whole: what was sent, and the beginning of what came back. */
function One({ notification, delivery, isBusy, onAgain, onClose }: { notification: Notification; delivery: Delivery | null; isBusy: boolean; onAgain: (id: string) => void; onClose: () => void }) {
  const now = useNow();
  const run = delivery ? runOf(delivery) : undefined;
  return (
    <Dialog open={delivery !== null} onOpenChange={(open) => { if (!open) onClose(); }} title="Delivery" aside={<span className="truncate font-mono max-sm:hidden">{delivery?.id}</span>} footer={delivery ? <><Button size={32} blocked={whyNot(notification, delivery)} disabled={isBusy} onClick={() => onAgain(delivery.id)}>{againWord(delivery)}</Button><Button size={32} look="primary" keys="Esc" onClick={onClose}>Close</Button></> : null}>
      {delivery ? (
        <div className="flex flex-col gap-4 px-5 py-4">
          <dl>
            <Fact label="Event">{delivery.event}{run ? <>, <Link to="/infra/terraform/runs/$id" params={{ id: run }} className="link">the run</Link></> : null}</Fact>
            <Fact label="Status"><DeliveryState delivery={delivery} now={now} /></Fact>
            <Fact label="Attempts">{delivery.attempts}{delivery.attempted_at ? `, the last ${moment(delivery.attempted_at, now)}` : ""}</Fact>
            <Fact label="webhook-id"><span className="font-mono">{delivery.id}</span></Fact>
          </dl>
          {delivery.error ? <p className="text-12 text-destroy">{delivery.error}</p> : null}
          <Text title="What was sent" text={JSON.stringify(delivery.payload, null, 2)} />
          {delivery.http_status === null ? null : <Text title={`The answer, ${answerWords(delivery).replace("answered ", "")}`} text={delivery.response === null || delivery.response === "" ? "(empty)" : delivery.response} />}
        </div>
      ) : null}
    </Dialog>
  );
}

function Text({ title, text }: { title: string; text: string }) {
  return (
    <section>
      <h3 className="mb-1 text-11 text-ink-3">{title}</h3>
      <pre tabIndex={0} aria-label={title} role="group" className="max-h-64 overflow-auto rounded-chip bg-sunken p-3 font-mono text-12 break-words whitespace-pre-wrap">{text}</pre>
    </section>
  );
}
