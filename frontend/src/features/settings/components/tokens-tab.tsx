import { Ago } from "@/components/domain/ago";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Input, Select } from "@/components/ui/field";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { createToken, revokeToken } from "@/features/settings/api/settings";
import { serviceAccountsQuery, tokensQuery } from "@/lib/api/accounts";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay, useMe } from "@/lib/api/session";
import type { Token } from "@/lib/api/types";
import { now as present, useNow } from "@/lib/clock";
import { plural, span } from "@/lib/format";
import { ShownOnce } from "./once";

/** Bearer tokens: whose, how wide, how old. A token is shown once and stored as a hash. */
export function TokensTab() {
  const now = useNow();
  const why = useMay()("tokens:own");
  const tokens = useQuery(tokensQuery);
  const queryClient = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [ending, setEnding] = useState<Token | null>(null);
  const revoke = useMutation({
    mutationFn: revokeToken,
    onSuccess: async () => {
      setEnding(null);
      await queryClient.invalidateQueries({ queryKey: keys.tokens });
    },
  });
  if (tokens.error) return <Empty title="The tokens could not be read."><p role="alert">{explain(tokens.error)}</p></Empty>;
  const rows = tokens.data?.items.filter((token) => !token.revoked_at) ?? [];
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-1.5">
        <p className="text-12 text-ink-2">For CI and scripts: <code>Authorization: Bearer slc_…</code>. No token approves for a machine.</p>
        <Button className="ml-auto" icon={<Plus size={14} />} blocked={why} onClick={() => setAdding(true)}>Create a token</Button>
      </div>
      {tokens.data ? null : <Skeleton rows={4} />}
      {tokens.data && rows.length === 0 ? <Empty title="No token." /> : null}
      {rows.length > 0 ? (
        <Table caption="Tokens" head={<><Th>Name</Th><Th>Owner</Th><Th className="max-md:hidden">Rights</Th><Th className="max-md:hidden">Last used</Th><Th>Ends</Th><Th><span className="sr-only">Actions</span></Th></>}>
          {rows.map((token) => (
            <Tr key={token.id}>
              <Td className="font-medium">{token.name}</Td>
              <Td className="text-ink-2">{token.owner.name} {token.owner.kind === "person" ? null : <Tag>{token.owner.kind.replaceAll("_", " ")}</Tag>}</Td>
              <Td className="text-ink-2 max-md:hidden" title={token.permissions?.join(", ")}>{token.permissions ? `only ${plural(token.permissions.length, "right")}` : "all of its owner's"}</Td>
              <Td className="text-12 text-ink-3 max-md:hidden">{token.last_used_at ? <Ago iso={token.last_used_at} now={now} suffix=" ago" /> : "never"}</Td>
              <Td className="text-12 text-ink-3">{token.expires_at ? `in ${span(Date.parse(token.expires_at) - now)}` : "never"}</Td>
              <Td className="w-24 text-right"><Button size={24} look="danger-line" onClick={() => { revoke.reset(); setEnding(token); }}>Revoke</Button></Td>
            </Tr>
          ))}
        </Table>
      ) : null}
      <Dialog open={adding} onOpenChange={setAdding} title="Create a token">
        <Form onClose={() => setAdding(false)} onCreated={(token) => { setAdding(false); setSecret(token); }} />
      </Dialog>
      <Dialog
        open={ending !== null}
        onOpenChange={(open) => { if (!open) setEnding(null); }}
        title={`Revoke ${ending?.name ?? ""}`}
        description="What uses it is refused from this moment. It can't be taken back."
        footer={<><Button look="ghost" size={32} keys="Esc" onClick={() => setEnding(null)}>Keep it</Button><Button look="danger" size={32} disabled={revoke.isPending} onClick={() => { if (ending) revoke.mutate(ending.id); }}>Revoke</Button></>}
      >
        <div className="px-5 py-3">{revoke.error ? <p role="alert" className="text-destroy">{explain(revoke.error)}</p> : null}</div>
      </Dialog>
      <ShownOnce title="Token" secret={secret} note="It is shown this once and stored as a hash. Keep it where secrets are kept." onClose={() => setSecret(null)} />
    </>
  );
}

const DAY = 86_400_000;
const PLAN_ONLY = ["runs:plan", "runs:read", "workspaces:read", "stacks:read", "configurations:upload"];

function Form({ onClose, onCreated }: { onClose: () => void; onCreated: (token: string) => void }) {
  const me = useMe();
  const mayManage = useMay()("tokens:manage") === null;
  const accounts = useQuery({ ...serviceAccountsQuery, enabled: mayManage }).data?.items ?? [];
  const [name, setName] = useState("");
  const [owner, setOwner] = useState("");
  const [days, setDays] = useState("90");
  const [planOnly, setPlanOnly] = useState(false);
  const queryClient = useQueryClient();
  const create = useMutation({
    mutationFn: () =>
      createToken({
        name: name.trim(),
        ...(owner ? { service_account: owner } : {}),
        ...(planOnly ? { permissions: PLAN_ONLY } : {}),
        ...(days ? { expires_at: new Date(present() + Number(days) * DAY).toISOString() } : {}),
      }),
    onSuccess: async (answer) => {
      await queryClient.invalidateQueries({ queryKey: keys.tokens });
      onCreated(answer.token);
    },
  });
  const missing = name.trim() ? null : "Give it a name";
  return (
    <form className="flex flex-col gap-3 p-5" onSubmit={(event) => { event.preventDefault(); if (!missing) create.mutate(); }}>
      <Field label="Name" hint="What it is for" error={create.error ? explain(create.error) : null}>{(ids) => <Input {...ids} autoFocus value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Owner">
          {(ids) => (
            <Select {...ids} value={owner} onChange={(event) => setOwner(event.target.value)}>
              <option value="">{me.name} (you)</option>
              {accounts.map((account) => <option key={account.id} value={account.id}>{account.name}</option>)}
            </Select>
          )}
        </Field>
        <Field label="Ends after (days)" hint="Empty: never">{(ids) => <Input {...ids} type="number" min={1} value={days} onChange={(event) => setDays(event.target.value)} />}</Field>
      </div>
      <Checkbox label="May only plan and read: what CI needs" checked={planOnly} onChange={(event) => setPlanOnly(event.target.checked)} />
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={create.isPending}>Create</Button>
      </div>
    </form>
  );
}
