import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { lockByHand, stateVersion } from "@/testing/fixtures/state";
import { workspaceRows } from "@/testing/fixtures/workspaces";
import { renderPage } from "@/testing/render";
import { rollbackBlocked } from "./blocked";
import { RollbackButton } from "./rollback-button";

const newest = stateVersion(44);
const older = stateVersion(40);

describe("what keeps a state from being rolled back", () => {
  it.each([
    ["an earlier version", older, null, null],
    ["the current version", newest, null, /current version/],
    ["a version whose content went", stateVersion(40, { pruned_at: "2026-01-01T00:00:00Z" }), null, /Retention/],
    ["a version of another lineage", stateVersion(40, { lineage: "another" }), null, /another lineage/],
    ["a lock by hand", older, lockByHand, /Marta Lindqvist holds the state lock/],
    ["a run at work", older, { ...lockByHand, kind: "run" as const }, /A run holds/],
  ] as const)("%s", (_, version, lock, why) => {
    const blocked = rollbackBlocked(version, newest, lock);
    if (why) expect(blocked).toMatch(why);
    else expect(blocked).toBeNull();
  });
});

it("the dialog says what the state would forget, and asks for the run once", async () => {
  const workspace = workspaceRows.find((row) => row.name === "prod-eks");
  if (!workspace) throw new Error("There is no such fixture");
  const path = `/terraform/workspaces/${workspace.id}/rollback`;
  const { asked, router } = await renderPage(<RollbackButton workspace={workspace} version={older} newest={newest} />, { answers: { [`POST ${path}`]: { id: "run-1" } } });
  await userEvent.click(await screen.findByRole("button", { name: "Roll back to 40…" }));
  await screen.findByText(/The state forgets 2 resources/);
  await userEvent.type(screen.getByLabelText(/^Why/), "The upgrade broke the replica");
  await userEvent.click(screen.getByRole("button", { name: "Plan the rollback" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/infra/terraform/runs/run-1"));
  expect(asked.filter((each) => each.method === "POST")).toEqual([{ method: "POST", path, body: { state_version_id: "sv-40", message: "The upgrade broke the replica", source: "ui" } }]);
});
