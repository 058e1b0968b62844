const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const two = (n: number) => String(n).padStart(2, "0");

/** How long ago, or how long until: `12 s`, `7 min`, `3 h 12 min`, `8 h`, `6 d`. Takes milliseconds, of either sign. */
export function span(ms: number): string {
  const abs = Math.abs(ms);
  if (abs < MINUTE) return `${Math.max(0, Math.floor(abs / SECOND))} s`;
  if (abs < HOUR) return `${Math.floor(abs / MINUTE)} min`;
  if (abs < DAY) {
    const hours = Math.floor(abs / HOUR);
    const minutes = Math.floor((abs % HOUR) / MINUTE);
    return minutes > 0 && hours < 6 ? `${hours} h ${two(minutes)} min` : `${hours} h`;
  }
  return `${Math.floor(abs / DAY)} d`;
}

export function since(iso: string | null | undefined, at: number): string {
  return iso ? span(at - Date.parse(iso)) : "";
}

/** A duration that was measured: `0.8 s`, `41.7 s`, `7 min 04 s`, `2 h 05 min`. Takes seconds. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 0.05 && seconds > 0 ? "0.1" : seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** `0:41`, `4:27`, `1:02:09`. Takes seconds. */
export function stopwatch(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const rest = `${hours > 0 ? two(Math.floor((whole % 3600) / 60)) : Math.floor((whole % 3600) / 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** `14:02:53`, the person's own time zone. */
export function clock(iso: string): string {
  const d = new Date(iso);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** `14:12:18.204`, for a log line. */
export function clockMs(iso: string): string {
  return `${clock(iso)}.${String(new Date(iso).getMilliseconds()).padStart(3, "0")}`;
}

/** `18:02` today, `21 Nov 18:02` on another day: for ends, where seconds say nothing. */
export function hourMinute(iso: string, at: number): string {
  const d = new Date(iso);
  const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return d.toDateString() === new Date(at).toDateString() ? time : `${d.getDate()} ${MONTHS[d.getMonth()] ?? ""} ${time}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Absolute, as short as it stays clear: `14:02:53` today, `18 Nov 14:02` this year, `18 Nov 2024` before. */
export function moment(iso: string, at: number): string {
  const d = new Date(iso);
  const today = new Date(at);
  if (d.toDateString() === today.toDateString()) return clock(iso);
  const day = `${d.getDate()} ${MONTHS[d.getMonth()] ?? ""}`;
  return d.getFullYear() === today.getFullYear() ? `${day} ${two(d.getHours())}:${two(d.getMinutes())}` : `${day} ${d.getFullYear()}`;
}

/** The whole moment, for those who point at a shorter one: `21 Nov 2026, 18:02:53`, the person's own time zone. */
export function exact(iso: string): string {
  const d = new Date(iso);
  return `${d.getDate()} ${MONTHS[d.getMonth()] ?? ""} ${d.getFullYear()}, ${clock(iso)}`;
}

/** `2,214` */
export function count(n: number): string {
  return n.toLocaleString("en-US");
}

/** “1st”, “22nd”, “113th”. */
export function ordinal(n: number): string {
  const teens = n % 100 >= 10 && n % 100 <= 20;
  return `${n}${(teens ? undefined : ["th", "st", "nd", "rd"][n % 10]) ?? "th"}`;
}

/** `1 resource`, `38 resources`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** `sha256:5d0e7c…` becomes `5d0e…91b7`. */
export function shortDigest(digest: string): string {
  const hex = digest.replace(/^[a-z0-9-]+:/, "").replace(/^[a-z]+-/, "");
  return hex.length > 12 ? `${hex.slice(0, 4)}…${hex.slice(-4)}` : hex;
}

/** The first sixteen digits, in fours: `7be1 9d04 52aa c02f`. */
export function fingerprint(digest: string): string {
  return digest.replace(/^[a-z0-9-]+:/, "").slice(0, 16).replace(/(.{4})(?=.)/g, "$1 ");
}

/** `1.4 MB`. Takes bytes. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/** Joins names in prose: `a`, `a and b`, `a, b and c`. */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
}

/** Ids sort by time and are long; their end tells them apart. */
export function shortId(id: string): string {
  const [kind, rest = ""] = id.split("-", 2);
  return rest.length > 10 ? `${kind ?? ""}-…${rest.slice(-8)}` : id;
}
