import { fireEvent, render, screen } from "@testing-library/react";
import { useEffect, useState } from "react";
import { expect, it, vi } from "vitest";
import { workspaceRows } from "@/testing/fixtures/workspaces";
import { gateChange, type GateForm, gateForm, gateProblem, GateSection } from "./gate-section";

const prod = workspaceRows.find((each) => each.name === "prod-payments-db");
const TEAMS = [{ id: "team-01data", name: "Data Platform" }, { id: "team-01sre", name: "SRE" }];

function Form({ onForm }: { onForm: (form: GateForm) => void }) {
  if (!prod) throw new Error("the fixture is gone");
  const [form, setForm] = useState(gateForm(prod));
  useEffect(() => onForm(form), [form, onForm]);
  return <GateSection form={form} teams={TEAMS} blocked={null} wrong={(field) => (field === "approval_conditions.1.tag" ? "has no key" : undefined)} onChange={(part) => setForm({ ...form, ...part })} />;
}

function show(): () => GateForm {
  const seen = vi.fn<(form: GateForm) => void>();
  render(<Form onForm={seen} />);
  return () => {
    const last = seen.mock.lastCall?.[0];
    if (!last) throw new Error("the form was never shown");
    return last;
  };
}

it("sends back what it was given", () => {
  const form = show();
  expect(gateChange(form())).toMatchObject({
    approval_validity_seconds: 28_800, plan_max_age_seconds: 14_400,
    approval_conditions: [
      { when: "deletes", threshold: null, tag: null, required_approvals: 2, approver_team_ids: [] },
      { when: "tag", threshold: null, tag: "env=prod", required_approvals: 1, approver_team_ids: ["team-01data"] },
    ],
  });
  expect(screen.getByRole("alert").textContent).toBe("has no key");
});

it("adds, changes and removes conditions, and refuses what is no duration", () => {
  const form = show();
  fireEvent.click(screen.getByRole("button", { name: "Add a condition" }));
  fireEvent.change(screen.getAllByLabelText("When").at(-1) ?? document.body, { target: { value: "changes_over" } });
  fireEvent.change(screen.getByLabelText("More resources than"), { target: { value: "20" } });
  fireEvent.click(screen.getByRole("button", { name: "Remove: it destroys or replaces anything" }));
  expect(gateChange(form()).approval_conditions?.map((each) => [each.when, each.threshold])).toEqual([["tag", null], ["changes_over", 20]]);
  expect(gateProblem(form())).toBeNull();
  fireEvent.change(screen.getByLabelText("An approval counts for"), { target: { value: "soon" } });
  expect(gateProblem(form())).toContain("“soon” is no duration");
});
