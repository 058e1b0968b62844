import { describe, expect, it } from "vitest";
import { attributeLine, attributeLines, type PlanAttribute, shortChange } from "./attributes";
import { diffJson, parseJsonText, sameValue } from "./json";
import { changedSpan, diffLines, foldContext } from "./lines";

const signs = { same: " ", add: "+", remove: "-" } as const;
const text = (lines: ReturnType<typeof diffLines>) => lines.map((line) => signs[line.kind] + line.text).join("\n");

/** Rebuilds both texts from a diff: what it says must be the truth. */
function both(lines: ReturnType<typeof diffLines>) {
  return { before: lines.filter((line) => line.kind !== "add").map((line) => line.text), after: lines.filter((line) => line.kind !== "remove").map((line) => line.text) };
}

describe("diffLines", () => {
  it("marks what was added and removed, and numbers both sides", () => {
    const lines = diffLines(["a", "b", "c"], ["a", "x", "c", "d"]);
    expect(text(lines)).toBe(" a\n-b\n+x\n c\n+d");
    expect(lines.map((line) => [line.before, line.after])).toEqual([[1, 1], [2, null], [null, 2], [3, 3], [null, 4]]);
  });

  it("gives back both texts, for many random pairs", () => {
    let seed = 7;
    const next = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
    for (let round = 0; round < 300; round += 1) {
      const make = () => Array.from({ length: next(14) }, () => "abcd"[next(4)] ?? "a");
      const [a, b] = [make(), make()];
      const lines = diffLines(a, b);
      expect(both(lines)).toEqual({ before: a, after: b });
      const numbers = lines.flatMap((line) => (line.after === null ? [] : [line.after]));
      expect(numbers).toEqual(b.map((_, i) => i + 1));
    }
  });

  it("finds the shortest script", () => {
    const lines = diffLines("abcabba".split(""), "cbabac".split(""));
    expect(lines.filter((line) => line.kind !== "same")).toHaveLength(5);
  });

  it("shows texts that share nothing as replaced whole, at once", () => {
    const a = Array.from({ length: 3000 }, (_, i) => `a${i}`);
    const b = Array.from({ length: 3000 }, (_, i) => `b${i}`);
    const begun = performance.now();
    expect(diffLines(a, b)).toHaveLength(6000);
    expect(performance.now() - begun).toBeLessThan(3000);
  });
});

it("foldContext keeps three lines around a change and counts the rest", () => {
  const before = Array.from({ length: 20 }, (_, i) => `l${i}`);
  const after = before.map((line, i) => (i === 10 ? "changed" : line));
  const hunks = foldContext(diffLines(before, after));
  expect(hunks.map((hunk) => ("fold" in hunk ? hunk.fold : hunk.lines.length))).toEqual([7, 8, 6]);
});

it("changedSpan marks whole words, and nothing when the lines are others", () => {
  const span = changedSpan('  "storage": "gp2"', '  "storage": "gp3"');
  expect(span && '  "storage": "gp2"'.slice(span.start, span.endBefore)).toBe("gp2");
  expect(changedSpan("  alpha", "  beta")).toBeNull();
});

describe("JSON by value", () => {
  it("sees no difference in the order of keys, in white space, or in trailing commas", () => {
    const diff = diffJson({ a: 1, b: { c: [1, 2], d: null } }, { b: { d: null, c: [1, 2] }, a: 1 });
    expect([diff.added, diff.removed]).toEqual([0, 0]);
    const grown = diffJson({ list: ["one"] }, { list: ["one", "two"] });
    expect([grown.added, grown.removed]).toEqual([1, 0]);
  });

  it("reads texts that hold objects or arrays, and no others", () => {
    expect(parseJsonText('{"a":1}')).toEqual({ a: 1 });
    expect([parseJsonText("12"), parseJsonText('"x"'), parseJsonText("{broken"), parseJsonText(null)]).toEqual([null, null, null, null]);
  });

  it("tells arrays by order and objects by content", () => {
    expect([sameValue([1, 2], [2, 1]), sameValue({ a: 1 }, { a: 1, b: 2 }), sameValue({ a: [1] }, { a: [1] })]).toEqual([false, false, true]);
  });
});

const attribute = (over: Partial<PlanAttribute>): PlanAttribute => ({ path: "x", action: "update", before: null, after: null, ...over });

describe("attributes", () => {
  it("never shows a sensitive side, even when a value came with it", () => {
    const line = attributeLine(attribute({ before: "hunter2", after: "hunter3", before_sensitive: false, after_sensitive: true }));
    expect(JSON.stringify(line)).not.toContain("hunter");
    expect([line.before.kind, line.after.kind, line.sensitive]).toEqual(["sensitive", "sensitive", true]);
  });

  it("says what is known only after apply, also when it will be sensitive", () => {
    expect(attributeLine(attribute({ before: "a", after_unknown: true })).after.kind).toBe("unknown");
    expect(attributeLine(attribute({ action: "create", after_sensitive: true, after_unknown: true })).after.kind).toBe("unknown");
  });

  it("puts what forces first and what is unknown last", () => {
    const lines = attributeLines([attribute({ path: "later", before: 1, after_unknown: true }), attribute({ path: "plain", before: 1, after: 2 }), attribute({ path: "forces", before: 1, after: 2, forces_replacement: true })]);
    expect(lines.map((line) => line.path)).toEqual(["forces", "plain", "later"]);
  });

  it("compares texts that hold JSON by value", () => {
    const line = attributeLine(attribute({ before: '{"a":1,"b":2}', after: '{"b":2,"a":1}' }));
    expect(line.json && line.json.added + line.json.removed).toBe(0);
  });

  it("says a short change in one line, and no sensitive one", () => {
    expect(shortChange(attributeLines([attribute({ before: 7, after: 14 })]))).toEqual([{ path: "x", before: "7", after: "14" }]);
    expect(shortChange(attributeLines([attribute({ before_sensitive: true })]))).toBeNull();
  });
});
