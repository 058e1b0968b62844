import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Segmented } from "@/components/ui/tabs";
import { isServed } from "@/features/state/backend/fields";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import type { HcpImport, StateVersion, Workspace } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { FileForm } from "./file-form";
import { HcpForm } from "./hcp-form";

type Source = "file" | "hcp";
interface Imported {
  version: StateVersion;
  hcp: HcpImport | null;
}

/** Opens the import, or says why there can be none. */
export function ImportButton({ workspace, onOpen }: { workspace: Workspace; onOpen: () => void }) {
  const blocked = useMay()("state:write") ?? (isServed(workspace.state_backend) ? null : "The state lies in another backend: the first plan takes it up by itself");
  return <Button className="mt-3" blocked={blocked} onClick={onOpen}>Import a state…</Button>;
}

/** Brings in the state of what is at work already, for a workspace that has none. */
export function ImportDialog({ workspace, open, onClose }: { workspace: Workspace; open: boolean; onClose: () => void }) {
  const [source, setSource] = useState<Source>("file");
  const [done, setDone] = useState<Imported | null>(null);
  const queryClient = useQueryClient();
  const close = () => {
    onClose();
    setDone(null);
    if (done) for (const queryKey of [keys.workspace(workspace.id), keys.workspaces]) void queryClient.invalidateQueries({ queryKey });
  };
  return (
    <Dialog open={open} onOpenChange={(next) => { if (!next) close(); }} title={`Import a state into ${workspace.name}`} description={done ? "" : "It becomes state version 1. No resource is touched, and nothing is changed where it comes from."}>
      {done ? <Result imported={done} onClose={close} /> : (
        <div className="flex flex-col gap-3 p-5 pt-3">
          <Segmented<Source> label="From" value={source} onChange={setSource} className="self-start" options={[{ value: "file", label: "A state file" }, { value: "hcp", label: "HCP Terraform" }]} />
          {source === "file" ? <FileForm workspace={workspace} onDone={(version) => setDone({ version, hcp: null })} onClose={close} /> : <HcpForm workspace={workspace} onDone={(hcp) => setDone({ version: hcp.state_version, hcp })} onClose={close} />}
        </div>
      )}
    </Dialog>
  );
}

function Result({ imported: { version, hcp }, onClose }: { imported: Imported; onClose: () => void }) {
  const left = hcp?.variables.filter((each) => each.outcome === "to_set_by_hand" || each.outcome === "refused") ?? [];
  const set = hcp?.variables.filter((each) => each.outcome === "set").length ?? 0;
  return (
    <div className="flex flex-col gap-3 p-5">
      <p><strong className="font-semibold">State version {version.number} is stored:</strong> {plural(version.resource_count, "resource")}, serial {version.serial}. Plan now: the first plan shows no changes when code and variables are those that it was made from.</p>
      {hcp && !hcp.source.is_locked ? <p className="text-12 text-wait">The workspace there is not locked. Lock it, so that nothing changes twice.</p> : null}
      {set > 0 ? <p className="text-12 text-ink-2">{plural(set, "variable was", "variables were")} set.</p> : null}
      {left.length > 0 ? (
        <div className="text-12">
          <p className="text-ink-2">To be set by hand:</p>
          <ul className="mt-1 max-h-40 overflow-auto" tabIndex={0}>{left.map((each) => <li key={`${each.kind}-${each.key}`}><code className="font-semibold">{each.key}</code> <span className="text-ink-3">{each.kind}{each.reason ? `, ${each.reason}` : ""}</span></li>)}</ul>
        </div>
      ) : null}
      <div className="mt-1 flex justify-end"><Button look="primary" size={32} onClick={onClose}>Show the state</Button></div>
    </div>
  );
}
