import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { me } from "@/testing/fixtures/people";
import { renderPage } from "@/testing/render";
import { VersionOutputs } from "./outputs";

const answers = { "GET /terraform/state-versions/sv-44/outputs/ledger_dsn": { name: "ledger_dsn", type: "string", sensitive: true, value: "postgres://planted" } };

it("a sensitive output is read only when asked for, and can be hidden again", async () => {
  const { asked } = await renderPage(<VersionOutputs version="sv-44" />, { answers });
  const reveal = await screen.findByRole("button", { name: "Reveal ledger_dsn; the reading is audited" });
  expect(asked.some((each) => each.path.endsWith("/outputs/ledger_dsn"))).toBe(false);
  await userEvent.click(reveal);
  await screen.findByText("postgres://planted");
  await userEvent.click(screen.getByRole("button", { name: "Hide ledger_dsn" }));
  expect(screen.queryByText("postgres://planted")).toBeNull();
});

it("without the right it stays hidden, and says which right is missing", async () => {
  const person = { ...me, permissions: me.permissions.filter((each) => each !== "state:read-sensitive") };
  const { asked } = await renderPage(<VersionOutputs version="sv-44" />, { person, answers });
  const reveal = await screen.findByRole("button", { name: /^Reveal/ });
  expect(reveal.title).toContain("state:read-sensitive");
  await userEvent.click(reveal);
  expect(asked.some((each) => each.path.endsWith("/outputs/ledger_dsn"))).toBe(false);
});
