import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { me } from "@/testing/fixtures/people";
import { lockByHand, lockOfTheDead } from "@/testing/fixtures/state";
import { workspaceRows } from "@/testing/fixtures/workspaces";
import { renderPage } from "@/testing/render";
import { holdOf } from "./hold";
import { LockCard } from "./lock-card";

const [workspace] = workspaceRows;
if (!workspace) throw new Error("There is no workspace in the fixtures");
const PATH = `/terraform/workspaces/${workspace.id}/state-lock`;

it.each([
  ["nobody", null, "free"],
  ["a living run", { ...lockOfTheDead, is_orphaned: false }, "alive"],
  ["a dead run", lockOfTheDead, "orphaned"],
  ["another person", lockByHand, "person"],
  ["oneself", { ...lockByHand, holder: { id: me.id, name: me.name } }, "mine"],
] as const)("a lock of %s is told apart", (_, lock, hold) => expect(holdOf(lock, me.id)).toBe(hold));

describe("the lock card", () => {
  it("locks by hand only with a reason", async () => {
    const { asked } = await renderPage(<LockCard workspace={workspace} />, { answers: { [`GET ${PATH}`]: null, [`POST ${PATH}`]: lockByHand } });
    await userEvent.click(await screen.findByRole("button", { name: "Lock by hand" }));
    const dialog = await screen.findByRole("dialog");
    const press = within(dialog).getByRole("button", { name: "Lock the state" });
    await userEvent.click(press);
    expect(asked.filter((each) => each.method === "POST")).toEqual([]);
    await userEvent.type(within(dialog).getByLabelText(/^Why/), "moving the VPC");
    await userEvent.click(press);
    await waitFor(() => expect(asked.find((each) => each.method === "POST")).toMatchObject({ path: PATH, body: { reason: "moving the VPC" } }));
  });

  it("takes another's lock away only with a reason and the typed name", async () => {
    const { asked } = await renderPage(<LockCard workspace={workspace} />, { answers: { [`GET ${PATH}`]: lockByHand, [`POST ${PATH}/force-unlock`]: undefined } });
    await screen.findByText("“moving the VPC by hand”");
    await userEvent.click(screen.getByRole("button", { name: "Force-unlock…" }));
    const press = await screen.findByRole("button", { name: "Take the lock away" });
    await userEvent.type(screen.getByLabelText(/^Why/), "she is on holiday");
    await userEvent.click(press);
    expect(press.getAttribute("aria-disabled")).toBe("true");
    expect(asked.filter((each) => each.method === "POST")).toEqual([]);
    await userEvent.type(screen.getByLabelText("Type the workspace's name"), workspace.name);
    await userEvent.click(press);
    await waitFor(() => expect(asked.find((each) => each.method === "POST")).toMatchObject({ path: `${PATH}/force-unlock`, body: { reason: "she is on holiday" } }));
  });

  it("releases a dead run's lock in one press", async () => {
    const { asked } = await renderPage(<LockCard workspace={workspace} />, { answers: { [`GET ${PATH}`]: lockOfTheDead, [`POST ${PATH}/release`]: undefined } });
    await screen.findByText("holder dead");
    await userEvent.click(screen.getByRole("button", { name: "Release the lock" }));
    await waitFor(() => expect(asked.some((each) => each.method === "POST" && each.path === `${PATH}/release`)).toBe(true));
  });

  it("never offers to take a living run's lock away", async () => {
    await renderPage(<LockCard workspace={workspace} />, { answers: { [`GET ${PATH}`]: { ...lockOfTheDead, is_orphaned: false } } });
    await screen.findByText("holder alive");
    expect(screen.queryByRole("button")).toBeNull();
    expect(screen.getByRole("link", { name: "Go to the run" })).toBeTruthy();
  });

  it("says which right is missing", async () => {
    const person = { ...me, permissions: me.permissions.filter((each) => each !== "state:unlock") };
    await renderPage(<LockCard workspace={workspace} />, { person, answers: { [`GET ${PATH}`]: lockByHand } });
    const press = await screen.findByRole("button", { name: "Force-unlock…" });
    expect(press.title).toContain("state:unlock");
    await userEvent.click(press);
    expect(screen.queryByRole("dialog")).toBeNull();
  });
});
