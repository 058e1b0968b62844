import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { useChangeView } from "@/components/changes/use-change-view";
import { useSeen } from "@/components/changes/use-seen";
import { changeTree, destructiveChanges } from "@/lib/plan/tree";
import { ledgerPlan } from "@/testing/fixtures/plan";
import { LEDGER, runOf } from "@/testing/fixtures/runs";
import { DecisionBar } from "./bar";

const run = runOf(LEDGER);
const tree = changeTree(ledgerPlan.resources);
const destructive = destructiveChanges(tree);

function Bar({ onApprove }: { onApprove: (comment: string) => void }) {
  const view = useChangeView(tree, destructive, useSeen("user-1", run.id, run.fingerprint?.digest ?? ""));
  return (
    <>
      {destructive.map((node) => <button key={node.resource.address} type="button" onClick={() => view.seen.set(node.resource.address, true)}>see {node.resource.address}</button>)}
      <DecisionBar run={run} view={view} busy={false} error={null} typedRef={null} onApprove={onApprove} onReject={vi.fn()} onDiscard={vi.fn()} onOverride={vi.fn()} />
    </>
  );
}

it("Approve of a destructive plan does nothing until all is seen and the name is typed", async () => {
  const approve = vi.fn();
  render(<Bar onApprove={approve} />);
  const button = screen.getByRole("button", { name: "Approve, destroy 2, replace 2" });
  await userEvent.click(button);
  expect(button.getAttribute("aria-disabled")).toBe("true");
  for (const each of screen.getAllByRole("button", { name: /^see / })) await userEvent.click(each);
  await userEvent.click(button);
  expect(approve).not.toHaveBeenCalled();
  await userEvent.type(screen.getByLabelText("Type prod-payments-db"), "prod-payments-db");
  await userEvent.click(button);
  expect(approve).toHaveBeenCalledOnce();
});

it("the name can't be pasted", async () => {
  render(<Bar onApprove={vi.fn()} />);
  const field = screen.getByLabelText<HTMLInputElement>("Type prod-payments-db");
  await userEvent.click(field);
  await userEvent.paste("prod-payments-db");
  expect(field.value).toBe("");
});

it("Seen marks outlive a reload, and belong to one plan", async () => {
  const { unmount } = render(<Bar onApprove={vi.fn()} />);
  await userEvent.click(screen.getByRole("button", { name: "see module.ledger.aws_db_parameter_group.pg16" }));
  unmount();
  render(<Bar onApprove={vi.fn()} />);
  expect(screen.getByText("1 of 4 destructive changes seen")).toBeTruthy();
  expect(Object.keys(localStorage).some((key) => key.includes(run.id) && key.includes("7be19d04"))).toBe(true);
});
