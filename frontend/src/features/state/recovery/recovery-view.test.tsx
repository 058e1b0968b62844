import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { me } from "@/testing/fixtures/people";
import { recoveryItems } from "@/testing/fixtures/state";
import { workspaceRows } from "@/testing/fixtures/workspaces";
import { renderPage } from "@/testing/render";
import { RecoveryView } from "./recovery-view";

const [workspace] = workspaceRows;
const [made, begun] = recoveryItems;
if (!workspace || !made?.import_block || !begun?.check) throw new Error("The fixtures lack a workspace, or an item made and one begun");
const { check } = begun;
const LIST = "GET /terraform/recovery/resources";
const answers = { [LIST]: { items: recoveryItems, next_cursor: null } };

const rowOf = async (address: string): Promise<HTMLElement> => {
  const row = (await screen.findByLabelText(`Import block of ${address}`)).closest("li");
  if (!row) throw new Error(`There is no row of ${address}`);
  return row;
};

it("what was made shows its id and an import block that is copied as it is", async () => {
  const user = userEvent.setup();
  await renderPage(<RecoveryView workspace={workspace} />, { answers });
  const row = await rowOf(made.address);
  expect(row.textContent).toContain("nat-0a1b2c3d4e5f60718");
  expect(within(row).getByLabelText(`Import block of ${made.address}`).textContent).toBe(made.import_block?.trimEnd());
  await user.click(within(row).getByRole("button", { name: "Copy" }));
  expect(await navigator.clipboard.readText()).toBe(made.import_block);
  expect(await within(row).findByRole("button", { name: "Copied" })).toBeTruthy();
  expect(within(row).getByRole("status").textContent).toBe("Copied");
});

it("what was only begun says what to check, and that its id is to be filled in", async () => {
  await renderPage(<RecoveryView workspace={workspace} />, { answers });
  const row = await rowOf(begun.address);
  expect(within(row).getByText(check)).toBeTruthy();
  expect(within(row).getByRole("button", { name: "Copy, then fill in the id" })).toBeTruthy();
  expect(screen.getByText("2 open, 1 ready to import")).toBeTruthy();
});

it("an item is dismissed with a reason, and not without", async () => {
  const { asked } = await renderPage(<RecoveryView workspace={workspace} />, { answers });
  await userEvent.click(within(await rowOf(begun.address)).getByRole("button", { name: "Dismiss…" }));
  const dialog = await screen.findByRole("dialog");
  const confirm = within(dialog).getByRole("button", { name: "Dismiss it" });
  await userEvent.click(confirm);
  expect(asked.some((each) => each.method === "POST")).toBe(false);
  await userEvent.type(within(dialog).getByRole("textbox"), "deleted by hand");
  await userEvent.click(confirm);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(asked.filter((each) => each.method === "POST")).toEqual([{ method: "POST", path: `/terraform/recovery/resources/${begun.id}/dismiss`, body: { reason: "deleted by hand" } }]);
});

it("a settled item says who took it off and why, and offers nothing more", async () => {
  const settled = { ...made, status: "dismissed", decided_at: made.created_at, decided_by: { id: me.id, kind: "person", name: "Marta" }, decision_reason: "looked after elsewhere" };
  await renderPage(<RecoveryView workspace={workspace} />, { answers: { [LIST]: { items: [settled], next_cursor: null } } });
  expect(await screen.findByText(/^Dismissed by Marta, .*“looked after elsewhere”$/)).toBeTruthy();
  expect(screen.queryByLabelText(/^Import block of/)).toBeNull();
  expect(screen.queryByRole("button", { name: "Dismiss…" })).toBeNull();
});

it("without the right to write states nothing is dismissed", async () => {
  const person = { ...me, permissions: me.permissions.filter((each) => each !== "state:write") };
  await renderPage(<RecoveryView workspace={workspace} />, { person, answers });
  await userEvent.click(within(await rowOf(begun.address)).getByRole("button", { name: "Dismiss…" }));
  expect(screen.queryByRole("dialog")).toBeNull();
});
