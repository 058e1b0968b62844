const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
type Unit = keyof typeof SECONDS;

/** Seconds of a duration as people write it (`30m`, `8h`, `2d`); null of an empty one, undefined of what is none. */
export function readDuration(text: string): number | null | undefined {
  if (text.trim() === "") return null;
  const found = /^([1-9]\d{0,8})\s*([smhdw])$/.exec(text.trim());
  return found ? Number(found[1]) * SECONDS[found[2] as Unit] : undefined;
}

/** A number of seconds in the largest unit that holds it exactly: `8h`, `2d`, `90m`; empty for null. */
export function spellDuration(seconds: number | null): string {
  if (seconds === null) return "";
  const unit = (["d", "h", "m"] as const).find((each) => seconds % SECONDS[each] === 0) ?? "s";
  return `${seconds / SECONDS[unit]}${unit}`;
}
