import { Copy } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";

/** A secret that is shown once: a token, a login link. */
export function ShownOnce({ title, secret, note, onClose }: { title: string; secret: string | null; note: string; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (secret) await navigator.clipboard.writeText(secret);
    setCopied(true);
  };
  return (
    <Dialog
      open={secret !== null}
      onOpenChange={(open) => { if (!open) onClose(); }}
      title={title}
      description={note}
      footer={
        <>
          <Button size={32} icon={<Copy size={14} />} onClick={() => void copy()}>{copied ? "Copied" : "Copy"}</Button>
          <Button size={32} look="primary" onClick={onClose}>Done</Button>
        </>
      }
    >
      <p className="m-5 mt-3 rounded-chip bg-sunken p-3 font-mono text-12 break-all" tabIndex={0}>{secret}</p>
    </Dialog>
  );
}
