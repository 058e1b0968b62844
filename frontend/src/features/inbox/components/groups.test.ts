import { expect, it } from "vitest";
import type { Inbox } from "@/lib/api/types";
import { inboxItems } from "@/testing/fixtures/runs";
import { shownGroups } from "./groups";

const inbox: Inbox = {
  for_you: 3, total: 4, in_progress: 0,
  groups: [
    { name: "awaiting_approval", count: 2, items: inboxItems.awaiting_approval.slice(0, 2).map((run, i) => ({ run, lock: null, resources: 0, for_you: i === 0, why: "", since: run.created_at })) },
    { name: "failed", count: 2, items: inboxItems.failed.map((run) => ({ run, lock: null, resources: 0, for_you: true, why: "", since: run.created_at })) },
  ],
};
const ids = (view: "you" | "all" | "snoozed", put = {}) => shownGroups(inbox, view, put, 1000).flatMap((group) => group.items.map((item) => item.run.id));
const [first, second] = inboxItems.awaiting_approval;
const [failed] = inboxItems.failed;

it("“For you” leaves out what others must do", () => {
  expect(ids("you")).not.toContain(second?.id);
  expect(ids("all")).toContain(second?.id);
});

it("a snoozed item comes back when its time has come", () => {
  const id = first?.id ?? "";
  expect(ids("you", { [id]: 2000 })).not.toContain(id);
  expect(ids("snoozed", { [id]: 2000 })).toEqual([id]);
  expect(ids("you", { [id]: 999 })).toContain(id);
});

it("what is done is gone from both, and a group without items has no head", () => {
  const put = Object.fromEntries(inboxItems.failed.map((run) => [run.id, 0]));
  expect(shownGroups(inbox, "you", put, 1000).map((group) => group.name)).toEqual(["awaiting_approval"]);
  expect(ids("snoozed", put)).not.toContain(failed?.id);
});
