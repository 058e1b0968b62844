import { expect, it } from "vitest";
import { reasons } from "./quorum";

it("says in sentences what the count does not", () => {
  expect(reasons(["1 of 2 approvals: Ada, Zoë", "2 approvals are needed because it destroys or replaces 3 resources", "Bo rejected it."])).toEqual([
    "2 approvals are needed because it destroys or replaces 3 resources.",
    "Bo rejected it.",
  ]);
  expect(reasons(["0 of 1 approvals"])).toEqual([]);
});
