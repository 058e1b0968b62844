import { useMutation, useQueryClient } from "@tanstack/react-query";
import { EyeOff, Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Empty, Skeleton, Tag } from "@/components/ui/bits";
import { Button, IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { deleteVariable } from "@/features/workspaces/api/workspaces";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import type { Variable } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { moment } from "@/lib/format";
import { VariableDialog } from "./variable-dialog";

/** Variables of the engine and of its environment. Sensitive ones can be written and never read. */
export function VariablesTab({ workspace, variables }: { workspace: string; variables: readonly Variable[] | undefined }) {
  const now = useNow();
  const why = useMay()("variables:write");
  const [editing, setEditing] = useState<Variable | "new" | null>(null);
  const [deleting, setDeleting] = useState<Variable | null>(null);
  if (!variables) return <Skeleton rows={5} />;
  const sorted = [...variables].sort((a, b) => b.kind.localeCompare(a.kind) || a.key.localeCompare(b.key));
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-5 py-1.5 max-sm:px-4">
        <p className="text-12 text-ink-2">A change makes waiting plans stale: they are superseded and planned again.</p>
        <Button className="ml-auto" icon={<Plus size={14} />} blocked={why} onClick={() => setEditing("new")}>Add</Button>
      </div>
      {sorted.length === 0 ? <Empty title="No variables.">Add the inputs of the configuration as terraform variables, and what providers read from their environment as env.</Empty> : (
        <Table caption="Variables" className="table-fixed max-md:table-auto" head={<><Th className="w-72">Key</Th><Th>Value</Th><Th className="w-24">Kind</Th><Th className="w-40 max-md:hidden">Changed by</Th><Th className="w-32 text-right max-md:hidden">When</Th><Th className="w-24"><span className="sr-only">Actions</span></Th></>}>
          {sorted.map((variable) => (
            <Tr key={variable.id} className="group">
              <Td className="truncate font-mono text-12 font-semibold" title={variable.description || variable.key}>{variable.key}</Td>
              <Td className="truncate font-mono text-12">
                {variable.is_sensitive ? <span className="inline-flex items-center gap-1.5 text-ink-2"><span aria-hidden>••••••••</span><EyeOff size={13} aria-hidden /><span className="font-sans">sensitive, write-only</span></span> : variable.value}
                {variable.is_hcl ? <span className="ml-2 font-sans"><Tag>HCL</Tag></span> : null}
              </Td>
              <Td className="text-ink-2">{variable.kind}</Td>
              <Td className="truncate text-ink-2 max-md:hidden">{variable.updated_by.name}</Td>
              <Td className="text-right text-12 text-ink-3 max-md:hidden">{moment(variable.updated_at, now)}</Td>
              <Td className="text-right">
                {why ? null : (
                  <>
                    <IconButton label={`Change ${variable.key}`} className="!size-6" onClick={() => setEditing(variable)}><Pencil size={13} /></IconButton>
                    <IconButton label={`Delete ${variable.key}`} className="!size-6" onClick={() => setDeleting(variable)}><Trash2 size={13} /></IconButton>
                  </>
                )}
              </Td>
            </Tr>
          ))}
        </Table>
      )}
      <VariableDialog workspace={workspace} editing={editing} onClose={() => setEditing(null)} />
      <DeleteDialog workspace={workspace} variable={deleting} onClose={() => setDeleting(null)} />
    </>
  );
}

function DeleteDialog({ workspace, variable, onClose }: { workspace: string; variable: Variable | null; onClose: () => void }) {
  const queryClient = useQueryClient();
  const remove = useMutation({
    mutationFn: (each: Variable) => deleteVariable(workspace, each.kind, each.key),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.workspace(workspace) });
      onClose();
    },
  });
  return (
    <Dialog
      open={variable !== null}
      onOpenChange={(open) => { if (!open) onClose(); }}
      title={`Delete ${variable?.key ?? ""}`}
      description="Later plans go without it. Waiting plans are superseded."
      footer={
        <>
          <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it</Button>
          <Button look="danger" size={32} disabled={remove.isPending} onClick={() => { if (variable) remove.mutate(variable); }}>Delete</Button>
        </>
      }
    >
      <div className="px-5 py-3">{remove.error ? <p role="alert" className="text-destroy">{explain(remove.error)}</p> : null}</div>
    </Dialog>
  );
}
