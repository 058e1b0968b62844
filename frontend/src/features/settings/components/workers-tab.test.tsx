import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { me } from "@/testing/fixtures/people";
import { renderPage } from "@/testing/render";
import { WorkersTab } from "./workers-tab";

const admin = { ...me, permissions: [...me.permissions, "organization:manage" as const] };

it("a new limit is sent as a number, no limit as null, the default as such", async () => {
  const { asked } = await renderPage(<WorkersTab />, { person: admin, answers: { "PUT /terraform/queue/limit": { queued: 0, executing: 0, effective_limit: 12, is_default: false, own_limit: 12, default_limit: null, workers: { count: 1, concurrency: 4, busy: 0 } } } });
  const number = await screen.findByRole("spinbutton", { name: "At most" });
  await userEvent.clear(number);
  await userEvent.type(number, "12");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(asked.find((each) => each.method === "PUT")?.body).toEqual({ own_limit: 12 });
  await userEvent.selectOptions(await screen.findByRole("combobox"), "none");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(asked.filter((each) => each.method === "PUT").at(-1)?.body).toEqual({ own_limit: null });
  await userEvent.selectOptions(await screen.findByRole("combobox"), "default");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(asked.filter((each) => each.method === "PUT").at(-1)?.body).toEqual({ is_default: true });
});

it("what is no number is not sent", async () => {
  const { asked } = await renderPage(<WorkersTab />, { person: admin });
  const number = await screen.findByRole("spinbutton", { name: "At most" });
  await userEvent.clear(number);
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(asked.some((each) => each.method === "PUT")).toBe(false);
});

it("workers say whether they were heard of", async () => {
  await renderPage(<WorkersTab />, { person: admin });
  expect((await screen.findByText("runner-2:88")).closest("tr")?.textContent).toContain("silent");
  expect(screen.getByText("runner-1:4021").closest("tr")?.textContent).toContain("2 of 4");
});

it("without the right there is no list and no change", async () => {
  const person = { ...me, permissions: me.permissions.filter((each) => each !== "organization:manage") };
  const { asked } = await renderPage(<WorkersTab />, { person });
  expect(await screen.findByText("The workers are shown to admins.")).toBeTruthy();
  expect(asked.some((each) => each.path.startsWith("/terraform/workers"))).toBe(false);
});
