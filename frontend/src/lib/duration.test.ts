import { describe, expect, it } from "vitest";
import { readDuration, spellDuration } from "./duration";

describe("durations", () => {
  it("are read as people write them", () => {
    expect(["30s", "30m", "8h", " 2d ", "1w", "8 h"].map(readDuration)).toEqual([30, 1800, 28_800, 172_800, 604_800, 28_800]);
  });

  it("are for ever when nothing is written, and refused when they are none", () => {
    expect([readDuration(""), readDuration("  ")]).toEqual([null, null]);
    for (const wrong of ["8", "h", "0h", "-8h", "1.5h", "soon"]) expect(readDuration(wrong)).toBeUndefined();
  });

  it("are spelled so that they are read as the same", () => {
    for (const seconds of [30, 90, 5400, 28_800, 129_600, 172_800]) expect(readDuration(spellDuration(seconds))).toBe(seconds);
    expect([spellDuration(null), spellDuration(28_800), spellDuration(129_600)]).toEqual(["", "8h", "36h"]);
  });
});
