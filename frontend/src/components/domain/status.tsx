import { CircleCheck, CirclePause, CircleSlash, CircleX, Clock, Equal, Eye, History, OctagonX, ShieldX, Trash2 } from "lucide-react";
import type { ComponentType } from "react";
import { cx } from "@/lib/cx";
import { type StatusFacts, type StatusShape, statusLook, type Tone } from "@/lib/run-status";

const TEXT: Record<Tone, string> = {
  wait: "text-wait",
  change: "text-change",
  create: "text-create",
  destroy: "text-destroy",
  read: "text-read",
};
const GROUND: Record<Tone, string> = {
  wait: "bg-wait-bg",
  change: "bg-change-bg",
  create: "bg-create-bg",
  destroy: "bg-destroy-bg",
  read: "bg-read-bg",
};

/** Open ring: works. It is the only thing that ever turns. */
export function Ring({ size = 14, className }: { size?: number; className?: string }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" className={cx("ring-spin shrink-0", className)} aria-hidden>
      <path d="M8 1.800a6.200 6.200 0 1 0 6.200 6.200" fill="none" stroke="currentColor" strokeWidth="1.700" strokeLinecap="round" />
    </svg>
  );
}

const ICONS: Record<Exclude<StatusShape, "ring">, ComponentType<{ size?: number; className?: string; "aria-hidden"?: boolean }>> = {
  pause: CirclePause,
  shield: ShieldX,
  halt: OctagonX,
  error: CircleX,
  check: CircleCheck,
  equal: Equal,
  history: History,
  trash: Trash2,
  clock: Clock,
  cancel: CircleSlash,
  eye: Eye,
};

export function StatusIcon({ size = 14, className, ...facts }: StatusFacts & { size?: number; className?: string }) {
  const look = statusLook(facts);
  const tone = cx("shrink-0", TEXT[look.tone], className);
  if (look.shape === "ring") return <Ring size={size} className={tone} />;
  const Icon = ICONS[look.shape];
  return <Icon size={size} className={tone} aria-hidden />;
}

/** Icon and word in the status colour. */
export function StatusText({ className, ...facts }: StatusFacts & { className?: string }) {
  const look = statusLook(facts);
  return (
    <span className={cx("inline-flex items-center gap-1.5 align-middle font-medium whitespace-nowrap", TEXT[look.tone], className)}>
      <StatusIcon {...facts} />
      {look.word}
    </span>
  );
}

/** The same on a tinted ground, for a page's header. */
export function StatusBadge(facts: StatusFacts) {
  const look = statusLook(facts);
  return (
    <span className={cx("inline-flex h-6 items-center gap-1.5 rounded-chip px-2 text-13 font-medium whitespace-nowrap", TEXT[look.tone], GROUND[look.tone])}>
      <StatusIcon {...facts} />
      {look.word}
    </span>
  );
}
