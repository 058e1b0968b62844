import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Checkbox, Field, Input } from "@/components/ui/field";
import { ApiError, explain } from "@/lib/api/http";
import { importFromHcp } from "@/lib/api/state";
import type { HcpImport, Workspace } from "@/lib/api/types";

export function HcpForm({ workspace, onDone, onClose }: { workspace: Workspace; onDone: (imported: HcpImport) => void; onClose: () => void }) {
  const [organization, setOrganization] = useState("");
  const [there, setThere] = useState(workspace.name);
  const [token, setToken] = useState("");
  const [address, setAddress] = useState("");
  const [variables, setVariables] = useState(true);
  const send = useMutation({
    mutationFn: () => importFromHcp(workspace.id, { organization: organization.trim(), workspace: there.trim(), token, with_variables: variables, ...(address.trim() ? { address: address.trim() } : {}) }, crypto.randomUUID()),
    onSuccess: onDone,
  });
  const wrong = (name: string) => (send.error instanceof ApiError ? send.error.field(name) : undefined);
  const placed = ["organization", "workspace", "token", "address"].some((name) => wrong(name));
  const missing = !organization.trim() ? "Name the organization" : !there.trim() ? "Name the workspace there" : !token ? "Give a token that may read its state" : null;
  return (
    <form className="flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); if (!missing && !send.isPending) send.mutate(); }}>
      <div className="grid grid-cols-2 gap-3 max-sm:grid-cols-1">
        <Field label="Organization" error={wrong("organization")}>{(ids) => <Input {...ids} value={organization} onChange={(event) => setOrganization(event.target.value)} />}</Field>
        <Field label="Workspace there" error={wrong("workspace")}>{(ids) => <Input {...ids} value={there} onChange={(event) => setThere(event.target.value)} />}</Field>
      </div>
      <Field label="API token" hint="Used for this import and kept nowhere." error={wrong("token")}>{(ids) => <Input {...ids} type="password" autoComplete="off" value={token} onChange={(event) => setToken(event.target.value)} />}</Field>
      <Field label="Address (of Terraform Enterprise; else empty)" error={wrong("address")}>{(ids) => <Input {...ids} placeholder="https://app.terraform.io" value={address} onChange={(event) => setAddress(event.target.value)} />}</Field>
      <Checkbox label="Set its variables here too, as far as they can be read" checked={variables} onChange={(event) => setVariables(event.target.checked)} />
      {send.error && !placed ? <p role="alert" className="text-12 text-destroy">{explain(send.error)}</p> : null}
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={send.isPending}>Import</Button>
      </div>
    </form>
  );
}
