import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Fact, SectionHead } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { haltOver, haltsQuery } from "@/lib/api/halts";
import { useMay } from "@/lib/api/session";
import { lockQuery } from "@/lib/api/state";
import type { Workspace } from "@/lib/api/types";
import { currentStateQuery } from "@/lib/api/workspaces";
import { BackendDialog } from "./backend-dialog";
import { backendKind, isServed } from "./fields";

/** Where the state lies, with its settings; how it is changed depends on whether there is a state to move. */
export function BackendCard({ workspace, wide = false }: { workspace: Workspace; wide?: boolean }) {
  const may = useMay();
  const current = useQuery(currentStateQuery(workspace.id));
  const lock = useQuery(lockQuery(workspace.id)).data;
  const halt = haltOver(useQuery(haltsQuery).data?.active ?? [], workspace.id);
  const [open, setOpen] = useState(false);
  const kind = backendKind(workspace.state_backend);
  const moves = Boolean(current.data) || !isServed(workspace.state_backend);
  const settings = Object.entries(workspace.state_backend_settings);
  const held = lock ? "The state lock is held: wait until it is released" : null;
  const blocked = may("workspaces:write") ?? (moves ? may("state:write") ?? (halt ? `A halt stands: ${halt.reason}` : held) : null);
  return (
    <section aria-labelledby="state-backend" className={wide ? "flex flex-col gap-2 border-b border-line px-5 py-4" : "border-b border-line px-4 py-3"}>
      <SectionHead id="state-backend" title="State backend" aside={kind.label} />
      <p className="text-12 text-ink-2">{kind.about}</p>
      {settings.length > 0 ? <dl>{settings.map(([name, value]) => <Fact key={name} label={name}><span className="font-mono" title={String(value)}>{typeof value === "string" ? value : JSON.stringify(value)}</span></Fact>)}</dl> : null}
      {current.isSuccess ? <div className="mt-2"><Button size={26} blocked={blocked} onClick={() => setOpen(true)}>{moves ? "Move the state to another backend…" : "Choose another backend…"}</Button></div> : null}
      <BackendDialog workspace={workspace} open={open} onClose={() => setOpen(false)} moves={moves} />
    </section>
  );
}
