import { describe, expect, it } from "vitest";
import { countParts } from "@/lib/actions";
import { moveSentence } from "./moving";

const target = { state_version_number: 3, state_version_id: "sv-3", state_version_serial: 9 };
const counts = { add: 0, change: 1, replace: 0, destroy: 0, import: 2, forget: 1 };

describe("a rollback", () => {
  it("says what the state forgets, and that nothing is touched", () => {
    const { worst, rest } = moveSentence({ kind: "rollback", target }, counts);
    expect(worst).toBe("Rolls the state back to version 3.");
    expect(rest).toMatch(/forgets 1 resource: .*nobody manages it/);
    expect(rest).toMatch(/takes up 2 resources again/);
    expect(rest).toMatch(/No resource is touched/);
    expect(`${worst} ${rest}`).not.toMatch(/destroy/i);
  });

  it("is counted in the words of a state", () => {
    expect(countParts(counts, "state").map(({ sign, n, word }) => `${sign}${n} ${word}`)).toEqual(["+2 add", "~1 change", "−1 remove"]);
  });
});

it("a migration says where the state goes", () => {
  const { worst } = moveSentence({ kind: "migration", target: { state_backend: "s3" } }, { add: 0, change: 0, replace: 0, destroy: 0 });
  expect(worst).toBe("Moves the state to S3.");
});
