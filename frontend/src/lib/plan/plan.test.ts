import { describe, expect, it } from "vitest";
import { ledgerPlan, demoPlan } from "@/testing/fixtures/plan";
import { sentenceOfLoss } from "./loss";
import { reasonWords } from "./reasons";
import { changeTree, destructiveChanges } from "./tree";

describe("changeTree", () => {
  const tree = changeTree(ledgerPlan.resources);

  it("puts modules that lose something first, and in each what is lost first", () => {
    expect(tree.map((module) => module.module)).toEqual(["module.ledger", "module.legacy_bastion", "module.kms"]);
    expect(tree[0]?.resources.map((node) => node.action)).toEqual(["replace", "replace-new-first", "change", "change", "change", "change"]);
  });

  it("counts a replacement once, and not as create or destroy", () => {
    expect(tree[0]?.counts).toEqual({ add: 0, change: 4, replace: 2, destroy: 0 });
    expect(destructiveChanges(tree)).toHaveLength(4);
  });

  it("says why: what forces, in which order, or that it left the configuration", () => {
    const [replica, group] = tree[0]?.resources ?? [];
    expect(replica?.note).toBe("destroy, then create · forced by kms_key_id");
    expect(group?.note).toBe("create, then destroy · forced by name");
    expect(tree[1]?.note).toBe("no longer in the configuration");
  });

  it("leaves no-ops out", () => {
    const [first] = demoPlan.resources;
    expect(first && changeTree([{ ...first, action: "no-op" }])).toEqual([]);
  });
});

describe("sentenceOfLoss", () => {
  it("begins with what is gone for good", () => {
    expect(sentenceOfLoss(ledgerPlan.resources)).toEqual({ worst: "Replaces a database replica and keeps no final snapshot of it.", rest: "Destroys 1 running instance. Destroys aws_security_group.this." });
  });

  it("says nothing when nothing is taken away", () => {
    expect(sentenceOfLoss(demoPlan.resources)).toBeNull();
  });

  it("names the one instance that goes, not all that are called like it", () => {
    const gone = [{ ...demoPlan.resources[0], address: 'module.net["a"].terraform_data.subnet[1]', type: "terraform_data", name: "subnet", action: "delete" }];
    expect(sentenceOfLoss(gone as typeof demoPlan.resources)?.worst).toBe("Destroys terraform_data.subnet[1].");
  });

  it("counts what has no name of its own", () => {
    const gone = ["a", "b", "c"].map((name) => ({ ...demoPlan.resources[0], name, address: `terraform_data.${name}`, action: "delete" }));
    expect(sentenceOfLoss(gone as typeof demoPlan.resources)?.worst).toBe("Destroys 3 resources.");
  });
});

it("reasonWords says known reasons in words, and others as they are", () => {
  expect([reasonWords("delete_because_no_module"), reasonWords("some_new_reason"), reasonWords(null)]).toEqual(["its module is no longer in the configuration", "some new reason", null]);
});
