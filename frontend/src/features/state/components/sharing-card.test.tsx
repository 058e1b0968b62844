import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { workspaceRows } from "@/testing/fixtures/workspaces";
import { renderPage } from "@/testing/render";
import { SharingCard, sharingWords } from "./sharing-card";

it.each([
  [{ everyone: true, readers: [] }, "Every workspace of the organization may read the outputs."],
  [{ everyone: false, readers: [{ id: "1", name: "a" }, { id: "2", name: "b" }] }, "a and b may read the outputs."],
  [{ everyone: false, readers: [] }, "No other workspace may read the outputs."],
])("sharing is said in a sentence", (sharing, words) => expect(sharingWords(sharing)).toBe(words));

it("who may read is written one a line, and everyone leaves the names out", async () => {
  const [workspace] = workspaceRows;
  if (!workspace) throw new Error("There is no workspace in the fixtures");
  const path = `/terraform/workspaces/${workspace.id}/output-sharing`;
  const { asked } = await renderPage(<SharingCard workspace={workspace} />, { answers: { [`PUT ${path}`]: { everyone: true, readers: [] } } });
  await userEvent.click(await screen.findByRole("button", { name: "Change the output sharing" }));
  expect((await screen.findByLabelText<HTMLTextAreaElement>(/one a line/)).value).toBe("prod-api\nprod-reporting");
  await userEvent.click(screen.getByLabelText(/^With every workspace/));
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(asked.find((each) => each.method === "PUT")?.body).toEqual({ everyone: true, readers: [] }));
});
