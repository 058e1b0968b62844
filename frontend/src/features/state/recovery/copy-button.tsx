import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "@/components/ui/button";

/** Copies a text and says so for a moment. */
export function CopyButton({ text, label, blocked = null }: { text: string; label: string; blocked?: string | null }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <span className="relative inline-flex shrink-0">
      <Button size={26} icon={copied ? <Check size={13} /> : <Copy size={13} />} blocked={blocked} onClick={() => void copy()}>{copied ? "Copied" : label}</Button>
      {/* Beside the button: what is in one is never announced by itself. */}
      <span role="status" className="sr-only">{copied ? "Copied" : ""}</span>
    </span>
  );
}
