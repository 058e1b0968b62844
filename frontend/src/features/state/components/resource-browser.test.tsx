import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { renderPage } from "@/testing/render";
import { ResourceBrowser } from "./resource-browser";

it("10,000 resources are fetched by the page, and not all drawn at once", async () => {
  const { asked } = await renderPage(<ResourceBrowser version="sv-44" />);
  await screen.findByText("10,000 resources");
  await screen.findByRole("group", { name: "Resources" });
  expect(screen.queryAllByRole("listitem").length).toBeLessThan(200);
  expect(asked.filter((each) => each.path.includes("/resources?")).length).toBeLessThan(3);
});

it("the root module is asked for by its empty name", async () => {
  const { asked } = await renderPage(<ResourceBrowser version="sv-44" />);
  await screen.findByText("10,000 resources");
  await userEvent.click(screen.getByRole("button", { name: /^Module/ }));
  await userEvent.click(await screen.findByRole("button", { name: /root module/ }));
  await screen.findByText("200 of 10,000");
  expect(asked.at(-1)?.path).toMatch(/[?&]module=(&|$)/);
});

it("what matches nothing can be cleared", async () => {
  await renderPage(<ResourceBrowser version="sv-44" />);
  await screen.findByText("10,000 resources");
  await userEvent.type(screen.getByLabelText("Search resources"), "nothing of that name");
  await userEvent.click(await screen.findByRole("button", { name: "Clear the filters" }));
  await screen.findByText("10,000 resources");
});
