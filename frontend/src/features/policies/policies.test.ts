import { StreamLanguage } from "@codemirror/language";
import { highlightTree, tagHighlighter, tags } from "@lezer/highlight";
import { expect, it } from "vitest";
import { standing } from "@/features/policies/api/words";
import { bodyOf, newDraft, readDrafts, saveDraft, whyNotName } from "@/features/policies/draft/store";
import { tar } from "@/features/policies/draft/tar";
import { marksOf, wrongByFile } from "@/features/policies/draft/use-evaluation";
import { regoParser } from "@/features/policies/editor/rego";
import { sentenceOf, sorted } from "@/features/policies/rehearsal/order";
import type { Rehearsal, RehearsalResult } from "@/lib/api/types";
import { setName } from "@/lib/policy-words";

function words(text: string): string[] {
  const out: string[] = [];
  const looks = tagHighlighter([{ tag: tags.keyword, class: "keyword" }, { tag: tags.comment, class: "comment" }, { tag: tags.string, class: "string" }, { tag: tags.definition(tags.variableName), class: "head" }]);
  highlightTree(StreamLanguage.define(regoParser).parser.parse(text), looks, (from, to, look) => out.push(`${look} ${text.slice(from, to)}`));
  return out;
}

it("Rego is told apart by its words, heads, texts and comments", () => {
  expect(words('# why\ndeny contains msg if {\n\tmsg := "a \\" b"\n}\n')).toEqual(["comment # why", "head deny", "keyword contains", "keyword if", 'string "a \\" b"']);
});

it("a raw string goes over lines", () => {
  expect(words("x := `one\nif # two` \ny := 1")).toEqual(["head x", "string `one", "string if # two`", "head y"]);
});

it("a tar archive holds each file whole, with the checksum that readers ask for", () => {
  const bytes = tar({ "policy.rego": "package ä\n", "data.json": "{}" });
  const text = (from: number, length: number) => new TextDecoder().decode(bytes.slice(from, from + length)).replace(/\0.*$/s, "");
  expect(text(0, 100)).toBe("data.json");
  expect(text(1024, 100)).toBe("policy.rego");
  expect(parseInt(text(1024 + 124, 12), 8)).toBe(11);
  expect(text(1536, 11)).toBe("package ä\n");
  const sum = bytes.slice(0, 512).reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
  expect(parseInt(text(148, 7), 8)).toBe(sum);
  expect(bytes.length % 512).toBe(0);
});

it("a draft survives a reload, and a broken store is an empty one", () => {
  const draft = newDraft("org-1", "mine", { "policy.rego": "package a" });
  saveDraft("org-1", { ...draft, files: { ...draft.files, "data.json": "{}" } });
  expect(readDrafts("org-1").map((each) => bodyOf(each))).toEqual([{ files: { "policy.rego": "package a" }, data: "{}" }]);
  expect(readDrafts("org-2")).toEqual([]);
  localStorage.setItem("sluice.drafts.org-1", "{");
  expect(readDrafts("org-1")).toEqual([]);
});

it("a file's name is refused before the API would refuse it", () => {
  expect(whyNotName("config.rego", ["policy.rego"])).toBeNull();
  expect(whyNotName("data.json", [])).toBeNull();
  expect(whyNotName("policy.rego", ["policy.rego"])).toBe("There is a file of this name");
  expect(whyNotName("policy_test.rego", [])).toMatch(/Tests/);
  expect(whyNotName("../policy.rego", [])).toMatch(/Letters/);
});

it("an attachment says whether there is something newer", () => {
  const sets = [{ uri: "policies/a", bundle_digest: "sha256:2" }, { uri: "policies/broken", bundle_digest: null }];
  const at = (policy_set_uri: string, bundle_digest = "sha256:1") => standing({ policy_set_uri, bundle_digest }, sets).state;
  expect([at("policies/a"), at("policies/a", "sha256:2"), at("policies/broken"), at("policies/gone"), at("policies/a/one.rego"), at("upload:sha256:1"), at("git+https://host.example/r.git//p?ref=v1")]).toEqual(["newer", "newest", "gone", "gone", "ask", "fixed", "ask"]);
  expect(standing({ policy_set_uri: "git+https://host.example/r.git?ref=v1", bundle_digest: "sha256:1", newer: { looked_at: "", bundle_digest: "sha256:3", commit_id: null, error: null } }, sets)).toEqual({ state: "newer", newest: "sha256:3" });
});

it("a policy set has a short name", () => {
  expect(setName("policies/blast_radius")).toBe("blast_radius");
  expect(setName("git+https://host.example/org/rules.git//aws?ref=v2")).toBe("host.example/org/rules//aws at v2");
  expect(setName(`upload:sha256:${"ab12".repeat(16)}`)).toBe("upload ab12ab12");
});

const result = (run_id: string, effect: RehearsalResult["effect"], planned_at: string) => ({ run_id, effect, planned_at }) as RehearsalResult;

it("a rehearsal shows first what it would newly block, newest first", () => {
  const order = sorted([result("a", "passes", "2026-01-03"), result("b", "newly_blocks", "2026-01-01"), result("c", "blocks", "2026-01-02"), result("d", "newly_blocks", "2026-01-02")]);
  expect(order.map((each) => each.run_id)).toEqual(["d", "b", "c", "a"]);
});

it("a rehearsal says its worst in a sentence", () => {
  const of = (counts: Partial<Rehearsal>) => sentenceOf({ done: 10, removed: 0, newly_blocked: 0, would_block: 0, would_warn: 0, ...counts } as Rehearsal);
  expect(of({ newly_blocked: 3, would_block: 4 })).toBe("Would have blocked 3 plans that passed, of 10.");
  expect(of({ would_block: 1 })).toBe("Blocks nothing new: 1 plan of 10 was blocked then, too.");
  expect(of({ would_warn: 2, removed: 2 })).toBe("Blocks nothing. Says something of 2 plans of 8.");
  expect(of({})).toBe("Says nothing of any of 10 plans.");
  expect(of({ removed: 10 })).toBe("None of these plans is kept any more.");
});

it("problems stand at their lines, and are counted by file", () => {
  const problems = [{ file: "policy.rego", line: 3, message: "no" }, { file: "config.rego", line: null, message: "why" }, { file: null, line: null, message: "late" }];
  expect(marksOf(problems, "policy.rego")).toEqual([{ line: 3, message: "no" }]);
  expect(marksOf(problems, "config.rego")).toEqual([{ line: 1, message: "why" }]);
  expect([...wrongByFile(problems)]).toEqual([["policy.rego", 1], ["config.rego", 1]]);
});
