import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Ellipsis, Plus } from "lucide-react";
import { useState } from "react";
import { Avatar, Empty, Skeleton, Tag } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Checkbox, Field, Input } from "@/components/ui/field";
import { Menu, MenuCheck, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { changeMember, createMember, membersQuery, newLoginLink, rolesQuery } from "@/features/settings/api/settings";
import { serviceAccountsQuery } from "@/lib/api/accounts";
import { ApiError, explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import type { Member } from "@/lib/api/types";
import { ShownOnce } from "./once";

/** People and service accounts, with their roles. */
export function MembersTab() {
  const why = useMay()("members:manage");
  const members = useQuery(membersQuery);
  const accounts = useQuery(serviceAccountsQuery).data?.items ?? [];
  const roles = useQuery(rolesQuery).data ?? [];
  const queryClient = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [link, setLink] = useState<string | null>(null);
  const change = useMutation({
    mutationFn: ({ id, ...body }: { id: string; roles?: string[]; is_disabled?: boolean }) => changeMember(id, body),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.members }),
  });
  const relink = useMutation({ mutationFn: newLoginLink, onSuccess: (answer) => setLink(answer.login_url) });
  const failure = change.error ?? relink.error;
  if (members.error) return <Empty title="The members could not be read."><p role="alert">{explain(members.error)}</p></Empty>;
  if (!members.data) return <Skeleton rows={5} />;
  const toggled = (member: Member, role: string, on: boolean) => change.mutate({ id: member.id, roles: on ? [...member.roles, role] : member.roles.filter((each) => each !== role) });
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-1.5">
        <p className="text-12 text-ink-2" role="status">{failure ? <span className="text-destroy">{explain(failure)}</span> : "Only people approve. A change of rights may void approvals that wait."}</p>
        <Button className="ml-auto" icon={<Plus size={14} />} blocked={why} onClick={() => setAdding(true)}>Add a person</Button>
      </div>
      <Table caption="Members" head={<><Th>Name</Th><Th>Roles</Th><Th className="max-md:hidden">Teams</Th><Th><span className="sr-only">Actions</span></Th></>}>
        {members.data.items.map((member) => (
          <Tr key={member.id}>
            <Td><span className="flex items-center gap-2.5"><Avatar name={member.name} /><span className={member.is_disabled ? "text-ink-3 line-through" : "font-medium"}>{member.name}</span><span className="text-12 text-ink-3">{member.email}</span>{member.is_disabled ? <Tag>disabled</Tag> : null}</span></Td>
            <Td className="text-ink-2">{member.roles.join(", ") || "none"}</Td>
            <Td className="text-ink-2 max-md:hidden">{member.teams.map((team) => team.name).join(", ")}</Td>
            <Td className="w-12 text-right">
              {why ? null : (
                <Menu label={`Change ${member.name}`} trigger={<IconButton label={`Change ${member.name}`} className="!size-6"><Ellipsis size={14} /></IconButton>}>
                  <MenuLabel>Roles</MenuLabel>
                  {roles.map((role) => <MenuCheck key={role.name} checked={member.roles.includes(role.name)} onChange={(on) => toggled(member, role.name, on)}>{role.name}</MenuCheck>)}
                  <MenuLine />
                  <MenuItem onSelect={() => relink.mutate(member.id)}>New one-time link</MenuItem>
                  <MenuItem danger={!member.is_disabled} onSelect={() => change.mutate({ id: member.id, is_disabled: !member.is_disabled })}>{member.is_disabled ? "Enable" : "Disable"}</MenuItem>
                </Menu>
              )}
            </Td>
          </Tr>
        ))}
        {accounts.map((account) => (
          <Tr key={account.id}>
            <Td><span className="flex items-center gap-2.5"><Avatar name={account.name} /><span className="font-medium">{account.name}</span><Tag>{account.is_agent ? "agent" : "service account"}</Tag></span></Td>
            <Td className="text-ink-2">{account.roles.join(", ") || "none"}</Td>
            <Td className="text-12 text-ink-3 max-md:hidden">never approves</Td>
            <Td />
          </Tr>
        ))}
      </Table>
      <AddDialog open={adding} roles={roles.map((role) => role.name)} onClose={() => setAdding(false)} onAdded={(url) => { setAdding(false); setLink(url); }} />
      <ShownOnce title="One-time link" secret={link} note="Give it to the person. It logs in once, and is not shown again." onClose={() => setLink(null)} />
    </>
  );
}

function AddDialog({ open, roles, onClose, onAdded }: { open: boolean; roles: readonly string[]; onClose: () => void; onAdded: (url: string) => void }) {
  return (
    <Dialog open={open} onOpenChange={(next) => { if (!next) onClose(); }} title="Add a person" description="They log in with a one-time link, and choose a password then.">
      <AddForm roles={roles} onClose={onClose} onAdded={onAdded} />
    </Dialog>
  );
}

function AddForm({ roles, onClose, onAdded }: { roles: readonly string[]; onClose: () => void; onAdded: (url: string) => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<readonly string[]>(["viewer"]);
  const queryClient = useQueryClient();
  const add = useMutation({
    mutationFn: () => createMember({ email: email.trim(), name: name.trim(), roles: [...chosen] }),
    onSuccess: async (member) => {
      await queryClient.invalidateQueries({ queryKey: keys.members });
      onAdded(member.login_url);
    },
  });
  const error = add.error instanceof ApiError ? add.error : null;
  const missing = !name.trim() ? "Give a name" : !email.trim() ? "Give an email address" : null;
  return (
    <form className="flex flex-col gap-3 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!missing) add.mutate(); }}>
      <Field label="Name" error={error?.field("name")}>{(ids) => <Input {...ids} autoFocus value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <Field label="Email" error={error?.field("email") ?? (add.error ? explain(add.error) : null)}>{(ids) => <Input {...ids} type="email" value={email} onChange={(event) => setEmail(event.target.value)} />}</Field>
      <fieldset className="flex flex-wrap gap-x-5 gap-y-2">
        <legend className="mb-1 text-11 text-ink-3">Roles</legend>
        {roles.map((role) => <Checkbox key={role} label={role} checked={chosen.includes(role)} onChange={(event) => setChosen(event.target.checked ? [...chosen, role] : chosen.filter((each) => each !== role))} />)}
      </fieldset>
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={add.isPending}>Add</Button>
      </div>
    </form>
  );
}
