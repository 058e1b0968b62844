import { expect, it } from "vitest";
import { glance } from "./glance";

const state = { version: 4, serial: 7, lineage: "abc", terraform_version: "1.12.6", resources: [{ mode: "managed", instances: [{}, {}] }, { mode: "data", instances: [{}] }] };

it("says what a state file holds, data sources aside", () => {
  expect(glance(JSON.stringify(state))).toEqual({ serial: 7, lineage: "abc", engine: "1.12.6", resources: 2 });
});

it.each([
  ["a file cut short", JSON.stringify(state).slice(0, 40), /cut short/],
  ["another format", JSON.stringify({ ...state, version: 3 }), /format 4/],
  ["an encrypted state", JSON.stringify({ ...state, encrypted_data: "…" }), /encrypted/],
  ["a list", "[]", /no state/],
])("%s is said to be none", (_, text, why) => {
  const said = glance(text);
  expect(typeof said === "string" ? said : "a state").toMatch(why);
});
