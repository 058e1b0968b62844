import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Fact } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { explain } from "@/lib/api/http";
import { importFile } from "@/lib/api/state";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { bytes, plural } from "@/lib/format";
import { type StateGlance, glance } from "./glance";

export function FileForm({ workspace, onDone, onClose }: { workspace: Workspace; onDone: (version: StateVersion) => void; onClose: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [seen, setSeen] = useState<StateGlance | string | null>(null);
  const [key, setKey] = useState(() => crypto.randomUUID());
  const send = useMutation({ mutationFn: (chosen: File) => importFile(workspace.id, chosen, key), onSuccess: onDone });
  const choose = async (chosen: File | null) => {
    send.reset();
    setFile(chosen);
    setSeen(null);
    setKey(crypto.randomUUID());
    if (chosen) setSeen(glance(await chosen.text()));
  };
  const wrong = typeof seen === "string" ? seen : null;
  const missing = !file ? "Choose the state file" : wrong ?? (seen === null ? "The file is being read" : null);
  return (
    <form className="flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); if (file && !missing && !send.isPending) send.mutate(file); }}>
      <Field label="State file" hint={<>What <code>tofu state pull</code> or <code>terraform state pull</code> prints; of format 4, not encrypted.</>} error={wrong ?? (send.error ? explain(send.error) : null)}>
        {(ids) => <Input {...ids} type="file" accept=".tfstate,.json,application/json" className="py-1 file:mr-3 file:rounded-ctl file:border-0 file:bg-selected file:px-2 file:text-12 file:text-ink" onChange={(event) => void choose(event.target.files?.[0] ?? null)} />}
      </Field>
      {file && seen && typeof seen !== "string" ? (
        <dl className="border-y border-line py-2">
          <Fact label="Holds">{plural(seen.resources, "resource")}, {bytes(file.size)}</Fact>
          <Fact label="Serial">{seen.serial}</Fact>
          <Fact label="Lineage"><span className="font-mono">{seen.lineage}</span></Fact>
          <Fact label="Engine">{seen.engine}</Fact>
        </dl>
      ) : null}
      <div className="mt-1 flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Leave it</Button>
        <Button type="submit" look="primary" size={32} blocked={missing} disabled={send.isPending}>Import</Button>
      </div>
    </form>
  );
}
