import { exact, since } from "@/lib/format";

/** How long ago a moment was; the moment itself for whoever points at it, and for programs. */
export function Ago({ iso, now, suffix = "" }: { iso: string; now: number; suffix?: string }) {
  return <time dateTime={iso} title={exact(iso)}>{since(iso, now)}{suffix}</time>;
}
