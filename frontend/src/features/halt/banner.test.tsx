import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Halts } from "@/lib/api/types";
import { dyingRun, haltOf } from "@/testing/fixtures/halts";
import { workspaceRows } from "@/testing/fixtures/workspaces";
import { renderPage } from "@/testing/render";
import { HaltBanner } from "./components/banner";

const name = workspaceRows[0]?.name ?? "";
const shown = (halts: Halts) => renderPage(<HaltBanner onShow={() => undefined} />, { answers: { "GET /terraform/halt": halts } });

describe("the halt banner", () => {
  it("names who is still dying, with the server's countdown whatever this clock says", async () => {
    const runs = [dyingRun("run-1"), dyingRun("run-2", { kind: "plan" }), dyingRun("run-3", { state: "dead" })];
    await shown({ active: [haltOf(runs, { dead_by: "2020-01-01T00:00:00Z", seconds_left: 34.2 })], ending: [] });
    const banner = await screen.findByRole("region", { name: "Halt" });
    expect(await within(banner).findAllByRole("link", { name })).toHaveLength(2);
    expect(banner.textContent).toContain("1 of 3 processes proven dead");
    expect(banner.textContent).toContain(`Still dying: ${name}, applying; ${name}, planning. All dead in at most 0:35`);
  });

  it("counts no plan that waited as a process that had to die", async () => {
    const waited = dyingRun("run-2", { kind: "plan", state: "dead", had_ended: true });
    await shown({ active: [haltOf([dyingRun("run-1"), waited])], ending: [] });
    expect((await screen.findByRole("region", { name: "Halt" })).textContent).toContain("2 runs stopped, 0 of 1 process proven dead");
  });

  it("says that nothing had a process where only plans waited", async () => {
    await shown({ active: [haltOf([dyingRun("run-2", { kind: "plan", state: "dead", had_ended: true })])], ending: [] });
    expect((await screen.findByRole("region", { name: "Halt" })).textContent).toContain("1 run stopped, none had a process");
  });

  it("counts those for whom there is no room", async () => {
    await shown({ active: [haltOf(["1", "2", "3", "4", "5"].map((each) => dyingRun(`run-${each}`)))], ending: [] });
    expect((await screen.findByRole("region", { name: "Halt" })).textContent).toContain("and 2 more processes.");
  });

  it("says nothing of dying once all are dead, and names the one workspace that is halted", async () => {
    await shown({ active: [haltOf([dyingRun("run-1", { state: "dead" })], { scope: "workspace", scope_id: workspaceRows[0]?.id ?? "", seconds_left: 0 })], ending: [] });
    await screen.findByText(new RegExp(`Workspace ${name}, by Priya Raman`));
    expect(screen.queryByText("Still dying:")).toBeNull();
  });

  it("says who a lifted halt still ends, and when the latest moment has passed", async () => {
    await shown({ active: [], ending: [haltOf([dyingRun("run-1")], { seconds_left: 0 })] });
    const banner = await screen.findByRole("region", { name: "Halt" });
    expect(banner.textContent).toContain("A halt was lifted; 1 process that it stopped is still dying.");
    expect(banner.textContent).toContain("presumed dead by its lease");
    expect(within(banner).queryByRole("button", { name: "Resume" })).toBeNull();
  });
});
