import { describe, expect, it } from "vitest";
import { count, duration, fingerprint, listed, ordinal, plural, shortDigest, span, stopwatch } from "./format";

describe("span", () => {
  it.each([[12_000, "12 s"], [7 * 60_000, "7 min"], [192 * 60_000, "3 h 12 min"], [8 * 3_600_000, "8 h"], [6 * 86_400_000, "6 d"], [-232 * 60_000, "3 h 52 min"]])("says %d ms as %s", (ms, words) => {
    expect(span(ms)).toBe(words);
  });
});

describe("duration", () => {
  it.each([[0, "0.0 s"], [0.02, "0.1 s"], [41.68, "41.7 s"], [424, "7 min 04 s"], [7500, "2 h 05 min"]])("says %d seconds as %s", (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });
});

it("stopwatch counts minutes, and hours when there are some", () => {
  expect([stopwatch(41), stopwatch(267), stopwatch(3729), stopwatch(-3)]).toEqual(["0:41", "4:27", "1:02:09", "0:00"]);
});

it("digests are cut in the middle, ids of a kind too, short ones stay", () => {
  expect(shortDigest(`sha256:${"5d0e".repeat(15)}91b7`)).toBe("5d0e…91b7");
  expect(shortDigest("spec-01m7xwh8ps8jff5djk5649vz2f")).toBe("01m7…vz2f");
  expect(shortDigest("abc123")).toBe("abc123");
});

it("a fingerprint is read in fours", () => {
  expect(fingerprint("sha256:7be19d0452aac02fffff")).toBe("7be1 9d04 52aa c02f");
});

it("counts and lists read as prose", () => {
  expect(count(2214)).toBe("2,214");
  expect([plural(1, "resource"), plural(38, "resource"), plural(2, "person", "people")]).toEqual(["1 resource", "38 resources", "2 people"]);
  expect([listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])]).toEqual(["", "a", "a and b", "a, b and c"]);
});

describe("ordinal", () => {
  it.each([[1, "1st"], [2, "2nd"], [3, "3rd"], [4, "4th"], [11, "11th"], [12, "12th"], [13, "13th"], [21, "21st"], [102, "102nd"], [111, "111th"]])("says %d as %s", (n, words) => {
    expect(ordinal(n)).toBe(words);
  });
});
