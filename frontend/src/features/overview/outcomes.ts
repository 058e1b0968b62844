import type { OverviewHistory } from "@/lib/api/types";

export type Bucket = OverviewHistory["buckets"][number];

interface Outcome {
  word: string;
  statuses: readonly string[];
  mark: string;
}

/** How runs end, the way the figures tell it: from the foot of a column upwards. */
export const OUTCOMES: readonly Outcome[] = [
  { word: "applied", statuses: ["applied"], mark: "bg-mark-create" },
  { word: "no changes", statuses: ["no_changes"], mark: "bg-mark-idle" },
  { word: "speculative", statuses: ["planned"], mark: "bg-ctl" },
  { word: "discarded or superseded", statuses: ["discarded", "superseded"], mark: "bg-line-2" },
  { word: "cancelled", statuses: ["cancelled"], mark: "bg-mark-replace" },
  { word: "errored", statuses: ["errored"], mark: "bg-mark-destroy" },
];

export const countOf = (outcomes: Bucket["outcomes"], { statuses }: Outcome): number => statuses.reduce((sum, status) => sum + (outcomes[status] ?? 0), 0);

export const endedIn = (bucket: Bucket): number => OUTCOMES.reduce((sum, outcome) => sum + countOf(bucket.outcomes, outcome), 0);

export function totals(buckets: readonly Bucket[]): { outcome: Outcome; runs: number }[] {
  return OUTCOMES.map((outcome) => ({ outcome, runs: buckets.reduce((sum, bucket) => sum + countOf(bucket.outcomes, outcome), 0) })).filter(({ runs }) => runs > 0);
}

/** The least round number that is not below: 1, 2, 4, 5, 10, 20, 40, 50, 100, … */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return ([1, 2, 4, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

const SPANS = [2, 10, 30, 60, 120, 600, 1200, 3600, 7200, 14_400, 28_800, 86_400, 172_800, 345_600, 691_200];
const TWO_WEEKS = 1_209_600;

/** The least round span that is not below and whose half is round, too; takes and gives seconds. */
export const roundSpan = (seconds: number): number => SPANS.find((span) => span >= seconds) ?? Math.ceil(seconds / TWO_WEEKS) * TWO_WEEKS;

const two = (n: number) => String(n).padStart(2, "0");

/** Names a bucket: of a day's figures when it begins, in the person's own time zone, else the day as the server counts it, in UTC. */
export function bucketName(start: string, bucketSeconds: number): string {
  const at = new Date(start);
  return bucketSeconds < 86_400 ? `${two(at.getHours())}:${two(at.getMinutes())}` : `${at.getUTCDate()} ${at.toLocaleString("en-US", { month: "short", timeZone: "UTC" })}`;
}
