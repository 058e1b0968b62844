import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Run } from "@/lib/api/types";
import { LEDGER, runOf } from "@/testing/fixtures/runs";
import { renderPage } from "@/testing/render";
import { RunNotices } from "./notices";

const failed = (failure: Partial<NonNullable<Run["failure"]>>): Run => ({
  ...runOf(LEDGER), status: "errored", child: null,
  failure: { phase: "planning", code: "engine_failed", message: "", diagnostics: [], ...failure },
});

it("says once what the engine's diagnostics say", async () => {
  await renderPage(<RunNotices run={failed({ message: "Error: no such bucket on main.tf line 4: It was never made.", diagnostics: [{ summary: "no such bucket", detail: "It was never made.", address: "aws_s3_bucket.a" }] })} child={undefined} />);
  expect((await screen.findByRole("alert")).textContent.trim()).toBe("The plan errored while planning.");
  expect(screen.getAllByText(/no such bucket/)).toHaveLength(1);
  screen.getByText("It was never made.");
});

it("says by itself what no diagnostic says", async () => {
  await renderPage(<RunNotices run={failed({ message: "The lease expired.", diagnostics: [{ summary: "deprecated" }] })} child={undefined} />);
  expect((await screen.findByRole("alert")).textContent).toBe("The plan errored while planning. The lease expired.");
});
