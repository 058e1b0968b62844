import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { PlaceShort, PlaceText } from "@/components/domain/place";
import type { QueuePlace } from "@/lib/api/types";
import { listItem } from "@/testing/fixtures/runs";
import { renderPage } from "@/testing/render";

const place: QueuePlace = { position: 2, ahead: 1, line: "workspace", code: "workspace_busy", reason: "Waits for run-7 (apply), which is at work in this workspace.", waits_for: { id: "run-7", kind: "apply", status: "running" }, lock: null };

it("a run behind another says its place and links to what it waits for", async () => {
  await renderPage(<p data-testid="place"><PlaceText run={listItem({ status: "queued", queue: place })} /></p>);
  expect(screen.getByTestId("place").textContent).toBe("2nd in the queue. Waits for run-7 (apply), which is at work in this workspace.");
  expect(screen.getByRole("link").getAttribute("href")).toBe("/infra/terraform/runs/run-7");
});

it("a run in a locked workspace links to the lock", async () => {
  await renderPage(<p><PlaceText run={listItem({ status: "queued", queue: { ...place, code: "workspace_locked", reason: "Ada holds the state lock.", waits_for: null } })} /></p>);
  expect(screen.getByRole("link", { name: "See the lock" }).getAttribute("href")).toBe("/infra/terraform/state/ws-prod-api");
});

it.each([[null], [{ ...place, code: "starting" as const, waits_for: null }]])("a run that starts any moment adds nothing in a list", async (queue) => {
  await renderPage(<p data-testid="row"><PlaceShort run={listItem({ status: "queued", queue })} /></p>);
  expect(screen.getByTestId("row").textContent).toBe("");
});
