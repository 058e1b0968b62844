import type { Drill } from "@/lib/api/types";
import { duration } from "@/lib/format";

/** From the call to the proof of death, as a drill measured it; null where it did not come so far. */
export function drillSeconds(drill: Drill): number | null {
  const measured = drill.steps.filter((step) => step.name === "halt" || step.name === "death");
  return measured.length === 2 ? measured.reduce((sum, step) => sum + step.seconds, 0) : null;
}

/** The same in words; empty where it is not known. */
export function drillTook(drill: Drill): string {
  const seconds = drillSeconds(drill);
  return seconds === null ? "" : duration(seconds);
}
